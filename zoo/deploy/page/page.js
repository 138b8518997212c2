"use strict";

const LONGEST = 960; // of what is sent: more pixels show a detector no more faces of people before a camera
const LARGEST = 2; // times its own size that a picture is shown at
const SMALLEST = 256; // pixels that a picture may grow to in any case: a crop of 48 can be looked at then
const SHOWN = 4; // faces whose bars are drawn
const TIE = 0.1; // the two most probable classes no further apart than this: neither is the verdict alone
const LINE = 22; // pixels, of a name above a frame

const $ = (id) => document.getElementById(id);
const stage = $("stage"), video = $("video"), picture = $("picture"), boxes = $("boxes");
let about = null;
let round = 0; // what was begun last: answers to what came before are out of date
let drawn = null; // what is drawn, for when the window changes

// What went wrong with the camera, by the browser's name for it, and what to do.
const REMEDIES = {
  NotAllowedError: "This page may not use the camera. Allow it: click the camera or the lock beside the address, " +
    "choose Allow, and try again. If that is allowed already, allow this browser in the system's privacy settings.",
  NotFoundError: "No camera was found. Connect one, and try again.",
  NotReadableError: "The camera does not start: another program may be using it. Close that, and try again.",
};

async function begin() {
  about = await (await fetch("about")).json();
  $("about").textContent = `${about.run}: ${about.backbone}, ${about.classes.length} classes, ` +
    (about.detector ? `face detector: ${about.detector}` : "no face detector (each picture is one face)");
  $("record").textContent = about.record;
  $("caution").textContent = about.caution;
  document.title = `${about.run} - ferdata`;
}

function say(text) {
  $("status").textContent = text;
}

function show(...elements) {
  for (const one of [$("welcome"), video, picture, boxes, $("stop"), $("faces")]) one.hidden = !elements.includes(one);
}

// Ends what is shown, and says why, if it did not end by itself.
function stop(trouble = "") {
  round += 1;
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = drawn = null;
  $("faces").replaceChildren();
  $("trouble").textContent = trouble;
  show($("welcome"));
  say("");
}

// Draws `source` onto a canvas, no larger than is useful, and returns that.
function smaller(source, width, height) {
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// Faces of pictures that come under one `session` are followed from each to the next.
async function ask(canvas, type, quality, session) {
  const blob = await new Promise((done) => canvas.toBlob(done, type, quality));
  const headers = { "Content-Type": type, ...(session && { "Ferdata-Session": session }) };
  const answer = await fetch("faces", { method: "POST", body: blob, headers }).catch(() => {
    throw new Error("ferdata does not answer. Is it still running in its terminal?");
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

async function openCamera() {
  if (!navigator.mediaDevices) throw new Error(`Browsers show cameras only to pages such as http://127.0.0.1:${location.port}.`);
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { width: 960, facingMode: "user" }, audio: false });
  } catch (error) {
    throw new Error(REMEDIES[error.name] ?? `The camera does not start: ${error.message}.`);
  }
}

async function watch() {
  stop();
  const mine = round, session = crypto.randomUUID();
  try {
    const stream = await openCamera();
    if (mine !== round) {
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    for (const track of stream.getTracks()) track.onended = () => mine === round && stop("The camera was switched off.");
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    if (mine === round) stop(error.message);
    return;
  }
  video.classList.add("mirror");
  fit(Infinity, Infinity);
  show(video, boxes, $("stop"), $("faces"));
  let last = performance.now();
  while (mine === round) {
    try {
      const told = await ask(smaller(video, video.videoWidth, video.videoHeight), "image/jpeg", 0.9, session);
      if (mine !== round) return;
      draw(told, true);
      const now = performance.now();
      say(`${count(told)}, ${(1000 / (now - last)).toFixed(1)} frames per second`);
      last = now;
    } catch (error) {
      if (mine !== round) return;
      say(`${error.message} Trying again.`);
      await new Promise((done) => setTimeout(done, 1000));
    }
    await new Promise(requestAnimationFrame); // a page in the background asks for nothing
  }
}

async function look(file) {
  stop();
  const mine = round;
  try {
    const bitmap = await createImageBitmap(file).catch(() => {
      throw new Error("This browser cannot read it as a picture. Try a JPEG, PNG or WebP.");
    });
    const canvas = smaller(bitmap, bitmap.width, bitmap.height);
    picture.width = canvas.width;
    picture.height = canvas.height;
    picture.getContext("2d").drawImage(canvas, 0, 0);
    // Without loss: a face as small as those of training has no pixel to spare.
    const told = await ask(canvas, "image/png");
    if (mine !== round) return;
    fit(canvas.width, canvas.height);
    show(picture, boxes, $("stop"), $("faces"));
    draw(told, false);
    say(`${file.name}: ${count(told)}`);
  } catch (error) {
    if (mine === round) stop(`${file.name}: ${error.message}`);
  }
}

function count(told) {
  const n = told.faces.length;
  return n === 0 ? "no face" : n === 1 ? "1 face" : `${n} faces`;
}

// Has a small picture grow to no more than can be looked at.
function fit(width, height) {
  const scale = Math.max(LARGEST, SMALLEST / Math.max(width, height));
  for (const one of [video, picture, boxes]) {
    one.style.maxWidth = scale * width === Infinity ? "" : `${scale * width}px`;
    one.style.maxHeight = scale * height === Infinity ? "" : `${scale * height}px`;
  }
}

// Black or white, whichever stands out more against a colour (relative luminance, as WCAG has it).
function readable(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

function percent(share) {
  return `${Math.round(100 * share)}%`;
}

function ranked(face) {
  return [...about.classes].sort((a, b) => face.probabilities[b] - face.probabilities[a]);
}

// The class that a face is taken for, or, where it is a near-tie, both.
function verdict(face) {
  const [first, second] = ranked(face);
  return second && face.probabilities[first] - face.probabilities[second] < TIE ? [first, second] : [first];
}

// What a face is called in the picture and beside it: its number in the camera's view, or, of several, in the picture.
function number(told, at) {
  return told.faces[at].track ?? (told.faces.length > 1 ? at + 1 : null);
}

function draw(told, mirrored) {
  drawn = [told, mirrored];
  // As many pixels as the screen has: names are as easy to read on a small picture as on a large one.
  const place = boxes.getBoundingClientRect(), ratio = window.devicePixelRatio;
  const scale = Math.min(place.width / told.width, place.height / told.height) || 1;
  const width = told.width * scale, height = told.height * scale;
  boxes.width = Math.round(width * ratio);
  boxes.height = Math.round(height * ratio);
  const pen = boxes.getContext("2d");
  pen.scale(ratio, ratio);
  const placed = told.faces.flatMap((face, at) => {
    if (!face.box) return [];
    const [x, y, w, h] = face.box.map((one) => one * scale);
    return [[face, number(told, at), { x: mirrored ? width - x - w : x, y, w, h }]];
  });
  for (const [face, , place] of placed) frame(pen, face, place);
  for (const [face, n, place] of placed) label(pen, face, n, place, width); // above all frames
  const order = told.faces.map((_, at) => at).slice(0, SHOWN).sort((a, b) => number(told, a) - number(told, b));
  const rest = told.faces.length - order.length;
  $("faces").replaceChildren(
    ...order.map((at) => bars(told.faces[at], number(told, at), told.faces.length === 1)),
    ...(told.faces.length ? [] : ["No face in view."]),
    ...(rest > 0 ? [`and ${rest} more`] : []),
  );
}

// Draws a frame about a face; a near-tie's has both colours.
function frame(pen, face, { x, y, w, h }) {
  pen.lineWidth = 3;
  verdict(face).forEach((name, at) => {
    pen.setLineDash(at ? [12, 12] : []);
    pen.strokeStyle = about.colours[name];
    pen.strokeRect(x, y, w, h);
  });
}

// Writes a face's number, and its name or names, above its frame, or, where the picture ends, into it.
function label(pen, face, number, { x, y }, width) {
  const names = verdict(face);
  const texts = names.map((name, at) => `${at || number === null ? "" : `${number}  `}${name} ${percent(face.probabilities[name])}`);
  pen.font = "600 14px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const wide = Math.max(...texts.map((text) => pen.measureText(text).width)) + 12;
  const left = Math.max(0, Math.min(x - 1.5, width - wide)), top = Math.max(0, y - LINE * names.length);
  texts.forEach((text, at) => {
    pen.fillStyle = about.colours[names[at]];
    pen.fillRect(left, top + LINE * at, wide, LINE);
    pen.fillStyle = readable(about.colours[names[at]]);
    pen.fillText(text, left + 6, top + LINE * (at + 0.5));
  });
}

function made(tag, text = "", name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = name;
  return element;
}

// A face's bars: of all classes where it is alone, else of the two most probable.
function bars(face, number, alone) {
  const article = made("article"), side = made("div"), list = made("dl"), leads = verdict(face);
  article.ariaLabel = leads.join(" or ");
  for (const name of alone ? about.classes : ranked(face).slice(0, 2)) {
    const share = face.probabilities[name], bar = made("dd", "", "bar"), fill = made("i");
    const mark = leads.includes(name) ? "leads" : "";
    fill.style.width = `${100 * share}%`;
    fill.style.background = about.colours[name];
    bar.append(fill);
    list.append(made("dt", name, mark), bar, made("dd", percent(share), mark));
  }
  if (alone) {
    const shares = leads.map((name) => percent(face.probabilities[name])).join(" and ");
    side.append(made("h2", leads.join(" or ")), made("p", `${leads.length > 1 ? "near-tie: " : "confidence "}${shares}`));
  }
  side.append(list);
  if (number !== null) article.append(made("b", number, "number"));
  article.append(side);
  return article;
}

$("camera").addEventListener("click", watch);
$("stop").addEventListener("click", () => stop());
$("file").addEventListener("change", (event) => {
  if (event.target.files.length) look(event.target.files[0]);
  event.target.value = "";
});
window.addEventListener("resize", () => drawn && draw(...drawn));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  stage.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) stage.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  stage.classList.remove("over");
  const files = [...event.dataTransfer.files], image = files.find((one) => one.type.startsWith("image/"));
  if (image) look(image);
  else stop(`${files[0]?.name ?? "What was dropped"} is not a picture. Drop a JPEG, PNG or WebP.`);
});
begin().catch(() => stop("ferdata does not answer. Is it still running in its terminal?"));
