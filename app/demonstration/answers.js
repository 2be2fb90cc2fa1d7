// What networks say, on the page: an <article> each, and one sentence for all that is read aloud.

const SHOWN = 5  // classes; the others are one click away

function percent(share) {
  if (share < 0.0005) return "< 0.1 %"
  return share > 0.9995 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`
}

const say = text => { one("#status").textContent = text }

// What stands there is of another picture now.
function awaitAnswers() {
  for (const article of document.querySelectorAll("article")) article.classList.add("stale")
  say("Looking …")
  const {top} = one("#status").getBoundingClientRect()  // on a phone it is below the picture
  if (top < 0 || top > innerHeight - 100) one("#status").scrollIntoView()
}

function sayFault(text) {
  for (const article of document.querySelectorAll("article"))
    article.classList.remove("stale", "answered")
  one("#picture").hidden = true
  say(text)
}

function showAnswer(article, card, probabilities, milliseconds) {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a])
  const best = probabilities[order[0]]
  article.querySelector(".named").textContent = card.classes[order[0]]
  article.querySelector(".sure").textContent = sureness(card, best)
  const rows = order.map(index => bar(card.classes[index], probabilities[index]))
  article.querySelector(".first").replaceChildren(...rows.slice(0, SHOWN))
  article.querySelector(".others tbody").replaceChildren(...rows.slice(SHOWN))
  article.querySelector(".others").hidden = rows.length <= SHOWN
  article.querySelector(".cost").textContent = `${milliseconds.toFixed(0)} ms`
  article.classList.remove("stale")
  article.classList.add("answered")
  return `${card.title}: ${card.classes[order[0]]}, ${percent(best)}.`
}

function bar(name, share) {
  const row = document.createElement("tr"), head = document.createElement("th")
  head.scope = "row"
  head.textContent = name
  const drawn = document.createElement("td"), length = document.createElement("div")
  drawn.ariaHidden = "true"
  drawn.className = "bar"
  length.style.width = `${100 * share}%`
  drawn.append(length)
  const number = document.createElement("td")
  number.textContent = percent(share)
  row.append(head, drawn, number)
  return row
}

// The least share of wrong answers among validation pictures that it was this sure of.
function sureness({thresholds}, best) {
  const kept = Object.entries(thresholds)
    .filter(([, least]) => least !== null && best >= least).map(([share]) => Number(share))
  if (!kept.length) return "Not sure: take it as a guess."
  const most = percent(Math.min(...kept)).replace(".0", "")
  return `Of validation pictures that it was this sure of, at most ${most} were wrong.`
}
