// The page that needs no server: the network runs here, by ONNX Runtime Web.

const article = one("article"), card = JSON.parse(one("#card").textContent)
const MOST_BYTES = JSON.parse(one("#limits").textContent).megabytes * 1e6

let ort  // ONNX Runtime Web, once it has loaded
let shown = ""  // the address of the picture on the page
let turn = 0  // of the picture asked for last: an earlier one is not shown after it

const painted = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)))
const session = loaded()

offerPictures(answer, say)
offerDropping(answer, say)

async function loaded() {
  say("Loading the network …")
  await painted()
  const start = performance.now()
  // A file cannot import another one, nor a part of itself; it may import what it has made.
  const script = new Blob([await unpacked("#runtime")], {type: "text/javascript"})
  ort = await import(URL.createObjectURL(script))
  ort.env.wasm.numThreads = 1  // several need headers that a file has not
  ort.env.wasm.wasmBinary = await unpacked("#webassembly")
  const session = await ort.InferenceSession.create(await unpacked("#network"))
  for (const part of document.querySelectorAll("script[type='text/plain']")) part.remove()
  await session.run({pixels: tensor(new Uint8Array(card.image_size ** 2 * 3))})  // the first is slow
  document.body.dataset.loaded = Math.round(performance.now() - start)
  say("The network is ready.")
  return session
}

session.catch(error => say(`The network cannot be loaded in this browser (${error.message}). ` +
                           "It takes one of 2023 or later."))

async function unpacked(id) {
  const packed = bytes(one(id).textContent)
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

function bytes(base64) {
  const text = atob(base64), all = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) all[i] = text.charCodeAt(i)
  return all
}

const tensor = pixels =>
  new ort.Tensor("uint8", pixels, [1, card.image_size, card.image_size, 3])

async function answer(file) {
  const mine = ++turn, network = await session
  awaitAnswers()
  await painted()
  try {
    const picture = await opened(file)
    if (mine !== turn) return
    const start = performance.now()
    const {probabilities} = await network.run({pixels: tensor(square(picture, card))})
    if (mine !== turn) return
    show(picture)
    say(showAnswer(article, card, probabilities.data, performance.now() - start))
  } catch (fault) {
    if (mine === turn) sayFault(fault.message)
  }
}

// The picture as an element that has loaded. Throws an Error with words for the user.
async function opened(file) {
  if (file.size > MOST_BYTES)
    throw new Error(`The file has ${(file.size / 1e6).toFixed(0)} MB, ` +
                    `allowed are ${MOST_BYTES / 1e6}.`)
  const picture = new Image()
  picture.isDrawing = file.type === "image/svg+xml"
  picture.src = URL.createObjectURL(file)
  try {
    await picture.decode()
  } catch {
    URL.revokeObjectURL(picture.src)
    throw new Error(`${file.name ?? "That"} is no picture that this browser can read.`)
  }
  const pixels = picture.naturalWidth * picture.naturalHeight
  if (pixels > card.max_megapixels * 1e6)
    throw new Error(`The picture has ${(pixels / 1e6).toFixed(0)} megapixels, ` +
                    `allowed are ${card.max_megapixels}.`)
  return picture
}

function show(picture) {
  URL.revokeObjectURL(shown)
  shown = picture.src
  one("#picture").src = shown
  one("#picture").hidden = false
}
