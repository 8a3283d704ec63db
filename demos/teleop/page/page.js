"use strict";
// What a person does becomes three axes in [-1, 1] (right, away, up), a turn about each of them by the right-hand rule,
// and the gripper, sent ten times a second and at each change; what the control loop answers is drawn. The arm holds still
// as soon as nothing is sent.

const $ = (id) => document.getElementById(id);
// Includes the requested file's size if a name may be reused: a browser shows its cached copy of a known address.
const url = (path, size = "") => `${path}?token=${TOKEN}${size && `&size=${size}`}`;
const HEARTBEAT = 100; // ms
const clip = (value) => Math.max(-1, Math.min(1, value));

// --- commands --------------------------------------------------------------------------------------------------------

const KEYS = { // which of the six a key changes, and how; by the last row the hand's top goes where the key lies
  KeyD: [0, 1], ArrowRight: [0, 1], KeyA: [0, -1], ArrowLeft: [0, -1],
  KeyW: [1, 1], ArrowUp: [1, 1], KeyS: [1, -1], ArrowDown: [1, -1],
  KeyE: [2, 1], PageUp: [2, 1], KeyQ: [2, -1], PageDown: [2, -1],
  KeyK: [3, 1], KeyI: [3, -1], KeyL: [4, 1], KeyJ: [4, -1], KeyU: [5, 1], KeyO: [5, -1],
};
const BUTTONS = { Enter: "keep", Backspace: "discard", Delete: "discard", KeyR: "rerecord", Escape: "stop" };

const held = new Set(); // key codes
const pads = { plane: [0, 0], height: [0, 0] }; // deflections of the touch pads: right, up
const STILL = [0, 0, 0, 0, 0, 0];
let mouse = STILL; // a SpaceMouse's axes and turn
let mouseButtons = 0; // the bits of those that are down
let grip = 0; // 1 closes, -1 opens, 0 until the person first decides in an episode

function motion() {
  const sum = [...pads.plane, pads.height[1], 0, 0, 0];
  for (const code of held) sum[KEYS[code][0]] += KEYS[code][1];
  const stick = gamepadMotion();
  return sum.map((value, index) => clip(value + mouse[index] + stick[index]));
}

function toggleGrip() {
  if ($("replay").open) return;
  setGrip(grip === 1 ? -1 : 1);
  send();
}

function setGrip(value) {
  grip = value;
  $("grip").setAttribute("aria-pressed", String(grip === 1));
  $("grip").firstElementChild.textContent = { "0": "Grip", "1": "Gripping: open", "-1": "Open: grip" }[grip];
}

addEventListener("keydown", (event) => {
  if ($("replay").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const { code } = event;
  if (!(code in KEYS) && !(code in BUTTONS) && code !== "Space") return;
  event.preventDefault();
  if (event.repeat) return;
  if (code in KEYS) { held.add(code); send(); }
  else if (code === "Space") toggleGrip();
  else press(BUTTONS[code]);
});
addEventListener("keyup", (event) => { if (held.delete(event.code)) send(); });
addEventListener("blur", () => { held.clear(); send(); }); // the key's release will not be received

for (const button of document.querySelectorAll("[data-button]")) {
  button.addEventListener("click", () => { press(button.dataset.button); button.blur(); });
}
$("grip").addEventListener("click", () => { toggleGrip(); $("grip").blur(); });

function pad(name) {
  const element = $(name), knob = element.querySelector("i");
  const move = (event) => {
    const box = element.getBoundingClientRect(), reach = Math.min(box.width, box.height) / 2 - 10;
    const x = name === "height" ? 0 : clip((event.clientX - box.left - box.width / 2) / reach);
    const y = clip((box.top + box.height / 2 - event.clientY) / (box.height / 2 - 22));
    pads[name] = [x, y];
    knob.style.transform = `translate(${x * (box.width / 2 - 24)}px, ${-y * (box.height / 2 - 24)}px)`;
    send();
  };
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    element.classList.add("held");
    move(event);
  });
  element.addEventListener("pointermove", (event) => { if (element.hasPointerCapture(event.pointerId)) move(event); });
  element.addEventListener("lostpointercapture", () => {
    element.classList.remove("held");
    pads[name] = [0, 0];
    knob.style.transform = "";
    send();
  });
}
pad("plane");
pad("height");

// Gamepads are read, not heard: the left stick moves in the plane, the right one up and down and turns; the D-pad tilts.
const PAD_BUTTONS = { 0: toggleGrip, 1: () => press("discard"), 2: () => press("rerecord"), 8: () => press("stop"), 9: () => press("keep") };
const pressed = new Set();

// Firefox has no getGamepads where a page comes over plain http from another machine.
function gamepad() { return [...(navigator.getGamepads?.() ?? [])].find((each) => each && each.mapping === "standard"); }

function gamepadMotion() {
  const device = gamepad();
  if (!device) return STILL;
  const [x, y, turn, z] = device.axes;
  const [up = 0, down = 0, left = 0, right = 0] = device.buttons.slice(12, 16).map((button) => Number(button.pressed));
  return [x, -y, -z, down - up, right - left, -turn];
}

function pollGamepad() {
  const device = gamepad();
  for (const [index, act] of Object.entries(PAD_BUTTONS)) {
    const down = Boolean(device && device.buttons[index].pressed);
    if (down && !pressed.has(index)) act();
    if (down) pressed.add(index); else pressed.delete(index);
  }
}
addEventListener("gamepadconnected", (event) => { $("devices").firstChild.textContent = `${event.gamepad.id} is connected. `; });

// A SpaceMouse reports signed 16-bit deflections of up to 350: right, towards the person, down, and turns about these, by
// the right-hand rule, in the next report or, a large device, the same; then its buttons.
if (navigator.hid) {
  $("hid").hidden = false;
  $("hid").addEventListener("click", async () => {
    const [device] = await navigator.hid.requestDevice({ filters: [{ vendorId: 0x256f }, { vendorId: 0x046d, usagePage: 1, usage: 8 }] });
    if (!device) return;
    if (!device.opened) await device.open();
    device.addEventListener("inputreport", hearMouse); // only once, however often it is connected
    $("hid").textContent = `${device.productName} is connected`;
  });
  navigator.hid.addEventListener("disconnect", ({ device }) => {
    [mouse, mouseButtons] = [STILL, 0]; // its release will not be heard
    $("hid").textContent = `${device.productName} is unplugged: connect it again`;
    send();
  });
}

function hearMouse({ reportId, data }) {
  const read = (axis) => clip(data.getInt16(2 * axis, true) / 350);
  const three = (first) => [read(first), -read(first + 1), -read(first + 2)];
  if (reportId === 1) mouse = [...three(0), ...(data.byteLength < 12 ? mouse.slice(3) : three(3))];
  if (reportId === 2) mouse = [...mouse.slice(0, 3), ...three(0)];
  if (reportId === 1 || reportId === 2) send();
  if (reportId === 3) {
    const now = data.getUint8(0), newly = now & ~mouseButtons;
    mouseButtons = now;
    if (newly & 1) toggleGrip();
    if (newly & 2) press("keep");
  }
}

// --- the connection --------------------------------------------------------------------------------------------------

let socket = null, number = 0;

function send() {
  // While a replay is open nothing is sent: the episode pauses.
  if (!socket || socket.readyState !== WebSocket.OPEN || $("replay").open) return;
  number += 1;
  const six = motion();
  socket.send(JSON.stringify({ axes: six.slice(0, 3), turn: six.slice(3), grip, number }));
}

function press(button) {
  if (!socket || socket.readyState !== WebSocket.OPEN || $("replay").open) return;
  socket.send(JSON.stringify({ button }));
  if (document.body.dataset.phase === "ready") return; // there is nothing to decide yet
  setGrip(0); // otherwise it would start the next episode
  send();
}

function connect() {
  const address = new URL(url("session"), location.href);
  address.protocol = address.protocol.replace("http", "ws");
  socket = new WebSocket(address);
  socket.binaryType = "blob";
  let status = null;
  socket.onopen = () => { say("connected", "connecting"); send(); };
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") status = JSON.parse(data);
    else draw(status, data);
  };
  socket.onclose = ({ code }) => {
    if (document.body.dataset.phase === "finished") return;
    if (code === 4001) say("The arm is taken: another page commands it. This one waits for its turn.", "taken");
    else say("The connection is lost: the episode is paused and the arm holds still.", "lost");
    setTimeout(connect, 1000);
  };
}

setInterval(() => { pollGamepad(); send(); }, HEARTBEAT);
(function frame() { pollGamepad(); requestAnimationFrame(frame); })();

// --- display ---------------------------------------------------------------------------------------------------------

const MESSAGES = {
  ready: "Move to begin the episode.",
  playing: "Recording.",
  paused: "Paused: move to go on.",
  judging: "Time is up. Keep this episode?",
  finished: "The recording has ended. You can close this page.",
};
let attempt = 0, kept = -1;

function say(text, phase) {
  $("message").textContent = text;
  document.body.dataset.phase = phase;
}

async function draw(status, blob) {
  say(status.trouble ? `Not stored, keep it again: ${status.trouble}` : MESSAGES[status.phase], status.phase);
  $("wanted").textContent = status.wanted;
  $("light").classList.toggle("on", status.solved);
  $("left").textContent = `${status.time_left.toFixed(1)} s`;
  document.querySelector("#clock i").style.transform = `scaleX(${status.time_left / status.duration})`;
  for (const button of document.querySelectorAll("[data-button]")) button.disabled = status.phase === "finished";
  if (status.attempt !== attempt) setGrip(0);
  if (status.attempt !== attempt || status.kept !== kept) {
    ({ attempt, kept } = status);
    loadEpisodes();
  }
  if (blob.size) drawViews(status.cameras, await createImageBitmap(blob));
}

function drawViews(cameras, bitmap) {
  const views = $("views"), side = bitmap.width / cameras.length;
  if (views.childElementCount !== cameras.length) {
    views.replaceChildren(...cameras.map((camera) => {
      const figure = document.createElement("figure"), canvas = document.createElement("canvas");
      const caption = document.createElement("figcaption");
      [canvas.width, canvas.height] = [side, bitmap.height];
      caption.textContent = camera;
      figure.append(canvas, caption);
      return figure;
    }));
  }
  cameras.forEach((_, index) => {
    const context = views.children[index].firstChild.getContext("2d");
    context.drawImage(bitmap, index * side, 0, side, bitmap.height, 0, 0, side, bitmap.height);
  });
  bitmap.close();
}

// --- the strip of episodes -------------------------------------------------------------------------------------------

async function loadEpisodes() {
  const response = await fetch(url("episodes")).catch(() => null);
  if (!response?.ok) return;
  const rows = await response.json();
  $("kept").textContent = rows.length;
  const list = $("episodes");
  const there = new Map([...list.children].map((item) => [item.dataset.key, item]));
  list.replaceChildren(...rows.map((row, index) => {
    const key = `${row.file} ${row.size}`;
    const item = there.get(key) || episodeItem(row, key);
    item.querySelector("b").textContent = index + 1;
    return item;
  }));
  list.lastElementChild?.scrollIntoView({ inline: "end", block: "nearest" });
}

function episodeItem(row, key) {
  const item = document.createElement("li"), button = document.createElement("button");
  const image = document.createElement("img"), label = document.createElement("span");
  item.dataset.key = key;
  image.src = url(`episodes/${row.file}/thumbnail`, row.size);
  image.alt = "";
  label.append(document.createElement("b"), `${row.seconds.toFixed(1)} s${row.success ? " ✓" : ""}`);
  button.classList.toggle("solved", row.success);
  button.title = `${row.file}: replay, remove`;
  button.append(image, label);
  button.addEventListener("click", () => { button.blur(); replay(row); });
  item.append(button);
  return item;
}

function replay(row) {
  const dialog = $("replay"), video = dialog.querySelector("video"), refusal = $("refusal");
  refusal.textContent = "";
  video.src = url(`episodes/${row.file}/video`, row.size);
  $("remove").onclick = async () => {
    const response = await fetch(url(`episodes/${row.file}`), { method: "DELETE" }).catch(() => null);
    if (response?.ok) dialog.close();
    else refusal.textContent = `Not removed: ${response ? await response.text() : "the connection is lost"}`;
    loadEpisodes();
  };
  dialog.onclose = () => video.removeAttribute("src");
  held.clear();
  dialog.showModal();
}

connect();
