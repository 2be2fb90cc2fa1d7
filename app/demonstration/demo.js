// The page of the demo: the server answers line by line, heat maps last.

const cards = JSON.parse(one("#cards").textContent)  // by network
const MOST_BYTES = JSON.parse(one("#limits").textContent).bytes
const articles = new Map([...document.querySelectorAll("article")].map(
  article => [article.dataset.network, article]))

let asking = new AbortController()

const takePicture = file => {
  if (file.size <= MOST_BYTES) return ask("picture", file, "application/octet-stream")
  asking.abort()
  sayFault(`The file has ${(file.size / 1e6).toFixed(0)} MB, allowed are ${MOST_BYTES / 1e6}.`)
}
const takeAddress = address => ask("address", address, "text/plain")

offerPictures(takePicture, say)
offerDropping(takePicture, say, takeAddress)

one("#by-address").addEventListener("submit", event => {
  event.preventDefault()
  takeAddress(one("#address").value.trim())
})
for (const button of document.querySelectorAll(".examples button"))
  button.addEventListener("click", async () => takePicture(await (await fetch(button.value)).blob()))

// Only the last question is waited for.
async function ask(path, body, type) {
  asking.abort()
  asking = new AbortController()
  const {signal} = asking
  awaitAnswers()
  try {
    const answer = await fetch(path, {method: "POST", body, headers: {"content-type": type}, signal})
    if (!answer.ok) throw new Error(await fault(answer))
    let said = ""
    for await (const line of lines(answer.body)) {
      if (line.picture) show(line.picture)
      if (line.probabilities) say(said += ` ${answered(line)}`)
      if (line.map || line.without_map) showMap(line)
    }
  } catch (error) {
    if (signal.aborted) return
    const gone = error instanceof TypeError
    sayFault(gone ? "The demo does not answer: does it still run?" : error.message)
  }
}

async function fault(answer) {
  const {detail, remedy} = await answer.json()
  return `${sentence(detail)} ${sentence(remedy)}`
}

const sentence = text => `${text[0].toUpperCase()}${text.slice(1)}.`.replace("..", ".")

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  for (;;) {
    const {value, done} = await reader.read()
    if (done) return
    const parts = (rest + value).split("\n")
    rest = parts.pop()
    yield* parts.map(JSON.parse)
  }
}

function show(picture) {
  one("#picture").src = picture
  one("#picture").hidden = false
}

function answered({network, probabilities, milliseconds}) {
  const article = articles.get(network)
  article.querySelector(".heat").hidden = true
  waits(article, "The heat map follows; the first one when TensorFlow has started.")
  return showAnswer(article, cards[network], probabilities, milliseconds)
}

function showMap({network, map, where, without_map: reason}) {
  const article = articles.get(network), figure = article.querySelector(".heat")
  waits(article, reason ?? "")
  figure.hidden = Boolean(reason)
  if (reason) return
  figure.querySelector("img").src = map
  figure.querySelector("img").alt = `Heat map: it looks ${where}`
}

function waits(article, text) {
  article.querySelector(".waits").textContent = text
}
