// Ways to give a picture: drop, paste, a file, a camera. `take` gets it as a Blob, `say` a fault.

const one = selector => document.querySelector(selector)
const CAMERA_FAULTS = {
  NotAllowedError: "The camera may not be used: allow it in the settings of the browser.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera is used by another program.",
}

function offerPictures(take, say) {
  const file = one("#file"), shot = one("#shot")
  one("#choose").addEventListener("click", () => file.click())
  one("#shoot").addEventListener("click", () => shot.click())
  for (const input of [file, shot])
    input.addEventListener("change", () => {
      if (input.files.length) take(input.files[0])
      input.value = ""  // or the same file, chosen again, would be no change
    })
  offerCamera(take, say)
  document.addEventListener("paste", event => {
    if (!event.clipboardData.files.length) return
    event.preventDefault()
    take(event.clipboardData.files[0])
  })
}

// `takeAddress`, where there is one, gets the address of a picture that is dragged from a page.
function offerDropping(take, say, takeAddress) {
  const mark = over => document.body.classList.toggle("over", over)
  document.addEventListener("dragover", event => {
    event.preventDefault()
    mark(true)
  })
  document.addEventListener("dragleave", event => mark(event.relatedTarget !== null))
  document.addEventListener("drop", event => {
    event.preventDefault()
    mark(false)
    const {files} = event.dataTransfer, address = event.dataTransfer.getData("text/uri-list")
    if (files.length) take(files[0])
    else if (address && takeAddress) takeAddress(address.split("\n")[0].trim())
    else say("That is no picture: drop a file.")
  })
}

function offerCamera(take, say) {
  const dialog = one("#camera"), video = one("#camera video")
  const phone = matchMedia("(pointer: coarse)").matches  // its own program for photos is the better
  one("#shoot").hidden = !phone
  one("#film").hidden = phone || !navigator.mediaDevices  // which https and loopback have
  one("#film").addEventListener("click", async () => {
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia(
        {video: {facingMode: "environment"}})
      dialog.showModal()
      await video.play()
    } catch (error) {
      if (error.name === "AbortError") return  // closed before the first frame
      dialog.close()
      say(CAMERA_FAULTS[error.name] ?? `The camera cannot be used (${error.message}).`)
    }
  })
  one("#take").addEventListener("click", () => dialog.close("taken"))
  one("#cancel").addEventListener("click", () => dialog.close("cancelled"))
  dialog.addEventListener("cancel", () => { dialog.returnValue = "cancelled" })
  dialog.addEventListener("close", async () => {
    const taken = dialog.returnValue === "taken" && video.videoWidth > 0
    const picture = taken ? await frame(video) : null
    video.srcObject?.getTracks().forEach(track => track.stop())
    video.srcObject = null
    if (picture) take(picture)
  })
}

function frame(video) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight)
  canvas.getContext("2d").drawImage(video, 0, 0)
  return canvas.convertToBlob({type: "image/png"})
}
