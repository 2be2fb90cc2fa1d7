"""How the results of a branch differ from another revision's.

Here: the results of a revision without a checkout, its runs against the branch's on the pictures of
both, plots of them. Not here: the report that is made of it (app/pull_request_report.py), how
pictures differ (app/differences).
"""
