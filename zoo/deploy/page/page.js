"use strict";

const LONGEST = 960; // of what is sent: more pixels show a detector no more faces of people before a camera
const SHOWN = 4; // faces whose bars are drawn

const $ = (id) => document.getElementById(id);
const stage = $("stage"), video = $("video"), picture = $("picture"), boxes = $("boxes");
let about = null;
let round = 0; // what was begun last: answers to what came before are out of date

async function begin() {
  about = await (await fetch("about")).json();
  $("about").textContent = `${about.run}: ${about.backbone}, ${about.classes.length} classes` +
    (about.detector ? `, faces by ${about.detector}` : ", pictures are faces");
  $("caution").textContent = about.caution;
  document.title = `${about.run} - ferdata`;
}

function say(text) {
  $("status").textContent = text;
}

function show(...elements) {
  for (const one of [$("welcome"), video, picture, boxes, $("stop")]) one.hidden = !elements.includes(one);
}

function stop() {
  round += 1;
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  $("faces").replaceChildren();
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

async function ask(canvas, type, quality) {
  const blob = await new Promise((done) => canvas.toBlob(done, type, quality));
  const answer = await fetch("faces", { method: "POST", body: blob, headers: { "Content-Type": type } });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

async function watch() {
  stop();
  const mine = round;
  try {
    if (!navigator.mediaDevices) throw new Error("this browser shows cameras to https and localhost pages only");
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 960, facingMode: "user" }, audio: false });
    if (mine !== round) {
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    say(`No camera: ${error.message}.`);
    return;
  }
  video.classList.add("mirror");
  show(video, boxes, $("stop"));
  let last = performance.now();
  while (mine === round) {
    try {
      const told = await ask(smaller(video, video.videoWidth, video.videoHeight), "image/jpeg", 0.9);
      if (mine !== round) return;
      draw(told, true);
      const now = performance.now();
      say(`${count(told)}, ${(1000 / (now - last)).toFixed(1)} pictures a second`);
      last = now;
    } catch (error) {
      if (mine !== round) return;
      say(`${error.message}. Trying again.`);
      await new Promise((done) => setTimeout(done, 1000));
    }
    await new Promise(requestAnimationFrame); // a page in the background asks for nothing
  }
}

async function look(file) {
  stop();
  const mine = round;
  try {
    const bitmap = await createImageBitmap(file);
    const canvas = smaller(bitmap, bitmap.width, bitmap.height);
    picture.width = canvas.width;
    picture.height = canvas.height;
    picture.getContext("2d").drawImage(canvas, 0, 0);
    // Without loss: a face as small as those of training has no pixel to spare.
    const told = await ask(canvas, "image/png");
    if (mine !== round) return;
    show(picture, boxes, $("stop"));
    draw(told, false);
    say(`${file.name}: ${count(told)}`);
  } catch (error) {
    say(`${file.name}: ${error.message || "this browser cannot read it"}`);
  }
}

function count(told) {
  const n = told.faces.length;
  return n === 0 ? "no face" : n === 1 ? "1 face" : `${n} faces`;
}

// Black or white, whichever stands out against a colour (luma by ITU-R BT.601).
function readable(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#000" : "#fff";
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}

function draw(told, mirrored) {
  boxes.width = told.width;
  boxes.height = told.height;
  const pen = boxes.getContext("2d");
  const unit = Math.max(told.width, told.height) / 60;
  pen.lineWidth = unit / 5;
  pen.font = `600 ${unit * 1.5}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  for (const face of told.faces) {
    if (!face.box) continue;
    const [x, y, w, h] = face.box;
    const left = mirrored ? told.width - x - w : x;
    const text = `${face.label} ${percent(face.probabilities[face.label])}`;
    const wide = pen.measureText(text).width + unit;
    const top = y > 2.4 * unit ? y - 2.2 * unit : y + h;
    pen.strokeStyle = pen.fillStyle = about.colours[face.label];
    pen.strokeRect(left, y, w, h);
    pen.fillRect(left - pen.lineWidth / 2, top, wide, 2.2 * unit);
    pen.fillStyle = readable(about.colours[face.label]);
    pen.fillText(text, left + unit / 2, top + 1.15 * unit);
  }
  $("faces").replaceChildren(...told.faces.slice(0, SHOWN).map(bars));
}

function made(tag, text = "", name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = name;
  return element;
}

function bars(face) {
  const article = made("article"), title = made("h2"), dot = made("i"), list = made("dl");
  dot.style.background = about.colours[face.label];
  title.append(dot, face.label);
  for (const name of about.classes) {
    const share = face.probabilities[name], bar = made("dd", "", "bar"), fill = made("i");
    fill.style.width = `${100 * share}%`;
    fill.style.background = about.colours[name];
    bar.append(fill);
    list.append(made("dt", name), bar, made("dd", percent(share)));
  }
  article.append(title, list);
  return article;
}

$("camera").addEventListener("click", watch);
$("stop").addEventListener("click", stop);
$("file").addEventListener("change", (event) => {
  if (event.target.files.length) look(event.target.files[0]);
  event.target.value = "";
});
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
  const file = [...event.dataTransfer.files].find((one) => one.type.startsWith("image/"));
  if (file) look(file);
  else say("That is no picture.");
});
begin().catch((error) => say(`The program does not answer: ${error.message}.`));
