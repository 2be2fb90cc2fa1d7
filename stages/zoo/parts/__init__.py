"""What several networks of the zoo are built of, and the file formats of their publishers."""
