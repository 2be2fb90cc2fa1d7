// A picture as the network takes it, in the steps of app/prediction/pictures.py: on the background,
// made smaller, fitted into a square. The resampling is Pillow's (Lanczos, one axis after the other,
// 8 bits between them): a canvas's own differs from browser to browser.

const STRIP = 1 << 22  // pixels on the canvas at once: phones have an end at 16 million
const LOBES = 3

// uint8 RGB, (size, size, 3) in a row, of an <img> that has loaded.
function square(picture, card) {
  const whole = sized(picture, card)
  const shrunk = fitted(whole, Math.min(card.max_side, Math.max(whole.width, whole.height)))
  let pixels = resized(strips(picture, whole, card.background), whole, shrunk)
  const inside = fitted(shrunk, card.image_size)
  pixels = resized([{top: 0, height: shrunk.height, pixels}], shrunk, inside)
  return centred(pixels, inside, card)
}

// Its size in pixels; a drawing has none of its own and is drawn as large as pictures are kept.
function sized(picture, card) {
  const size = {width: picture.naturalWidth, height: picture.naturalHeight}
  if (!size.width || !size.height) return {width: card.max_side, height: card.max_side}
  return picture.isDrawing ? fitted(size, card.max_side) : size
}

function fitted({width, height}, side) {
  const longer = Math.max(width, height)
  const scaled = length => Math.max(1, halfToEven(length * side / longer))
  return {width: scaled(width), height: scaled(height)}
}

// As Python rounds.
function halfToEven(number) {
  const below = Math.floor(number)
  if (number - below !== 0.5) return Math.round(number)
  return below % 2 ? below + 1 : below
}

// RGB of the picture on the background, from the top, in pieces that a canvas holds everywhere.
function* strips(picture, {width, height}, background) {
  const rows = Math.max(1, Math.floor(STRIP / width))
  const canvas = new OffscreenCanvas(width, Math.min(rows, height))
  const drawing = canvas.getContext("2d", {alpha: false, willReadFrequently: true})
  for (let top = 0; top < height; top += rows) {
    const strip = Math.min(rows, height - top)
    drawing.fillStyle = background
    drawing.fillRect(0, 0, width, strip)
    drawing.drawImage(picture, 0, -top, width, height)
    const shown = drawing.getImageData(0, 0, width, strip).data
    const pixels = new Uint8ClampedArray(width * strip * 3)
    for (let from = 0, to = 0; from < shown.length; from += 4) {
      pixels[to++] = shown[from]
      pixels[to++] = shown[from + 1]
      pixels[to++] = shown[from + 2]
    }
    yield {top, height: strip, pixels}
  }
}

function resized(strips, from, to) {
  const across = weights(from.width, to.width)
  const narrow = new Uint8ClampedArray(to.width * from.height * 3)
  for (const {top, height, pixels} of strips)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < to.width; x++)
        mix(pixels, (y * from.width + across[x].first) * 3, 3, across[x].shares,
            narrow, ((top + y) * to.width + x) * 3)
  const down = weights(from.height, to.height)
  const done = new Uint8ClampedArray(to.width * to.height * 3)
  for (let y = 0; y < to.height; y++)
    for (let x = 0; x < to.width; x++)
      mix(narrow, (down[y].first * to.width + x) * 3, to.width * 3, down[y].shares,
          done, (y * to.width + x) * 3)
  return done
}

// One pixel as the sum of those that begin at `from`, `step` apart.
function mix(pixels, from, step, shares, target, to) {
  let red = 0, green = 0, blue = 0
  for (let i = 0; i < shares.length; i++, from += step) {
    red += shares[i] * pixels[from]
    green += shares[i] * pixels[from + 1]
    blue += shares[i] * pixels[from + 2]
  }
  target[to] = red
  target[to + 1] = green
  target[to + 2] = blue
}

// For each place of an axis of `to` pixels: which of `from` it is made of, and their shares.
function weights(from, to) {
  const scale = from / to, stretch = Math.max(1, scale), reach = LOBES * stretch
  return Array.from({length: to}, (_, place) => {
    const centre = (place + 0.5) * scale
    const first = Math.max(0, Math.trunc(centre - reach + 0.5))
    const end = Math.min(from, Math.trunc(centre + reach + 0.5))
    const shares = Float64Array.from({length: end - first},
                                     (_, i) => lanczos((first + i - centre + 0.5) / stretch))
    const sum = shares.reduce((total, share) => total + share, 0)
    return {first, shares: shares.map(share => share / sum)}
  })
}

function lanczos(x) {
  if (x === 0) return 1
  return Math.abs(x) < LOBES ? LOBES * Math.sin(Math.PI * x) * Math.sin(Math.PI * x / LOBES) /
                               (Math.PI * x) ** 2 : 0
}

function centred(pixels, {width, height}, {image_size: size, background}) {
  const ground = [1, 3, 5].map(start => parseInt(background.slice(start, start + 2), 16))
  const whole = Uint8Array.from({length: size * size * 3}, (_, i) => ground[i % 3])
  const left = Math.floor((size - width) / 2), top = Math.floor((size - height) / 2)
  for (let y = 0; y < height; y++)
    whole.set(pixels.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * size + left) * 3)
  return whole
}
