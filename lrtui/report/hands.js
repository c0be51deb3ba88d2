/* Mouse, fingers and keys: all they do is to change the view. */

function change(settings) {
  Object.assign(view, settings);
  $("quantity").value = view.quantity;
  $("axis").value = view.axis;
  $("log").checked = view.log;
  $("full").checked = view.full;
  $("smooth").value = view.weight;
  $("weight").textContent = String(view.weight);
  draw();
}

function zoom(start, stop) {
  const [first, last] = whole(), least = (last - first) * 1e-6 || 1e-9;
  start = Math.max(first, start);
  stop = Math.min(last, stop);
  if (stop - start < least) return;
  change({range: start <= first && stop >= last ? null : [start, stop]});
}
function zoomAbout(x, factor) {
  const [start, stop] = range();
  zoom(x - (x - start) * factor, x + (stop - x) * factor);
}
function pan(share) {
  const [start, stop] = range(), [first, last] = whole(), by = Math.max(first - start, Math.min(last - stop, share * (stop - start)));
  if (view.range) zoom(start + by, stop + by);
}

/* A loss is drawn on a logarithmic axis where all of it is above zero; a rate of zero is the bottom of a warmup. */
function usualLog() {
  const zero = lanes.some(lane => lane.curves[quantity().name] && curve(lane).lo.some(low => low <= 0));
  return quantity().log && (!zero || quantity().name.startsWith("applied_lr"));
}
const choose = index => { view.quantity = index; change({log: usualLog()}); };
const turn = axis => change({axis, range: null, cursor: null});

const pointers = new Map();
let drag = null, pinch = null;
const inside = event => Math.max(LEFT, Math.min(event.clientX - canvas.getBoundingClientRect().left, place.right));

canvas.addEventListener("pointerdown", event => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, inside(event));
  if (pointers.size === 2) {
    const [a, b] = [...pointers.values()];
    pinch = {a: place.value(a), b: place.value(b)};
    drag = null;
  } else if (event.pointerType === "mouse" && event.button === 0) drag = {from: inside(event), to: inside(event)};
  change({cursor: place.value(inside(event))});
});
canvas.addEventListener("pointermove", event => {
  const x = inside(event);
  if (pointers.has(event.pointerId)) pointers.set(event.pointerId, x);
  if (pinch && pointers.size === 2) {
    const [a, b] = [...pointers.values()];
    if (Math.abs(a - b) > 8) {
      const scale = (pinch.b - pinch.a) / (b - a), start = pinch.a - (a - LEFT) * scale;
      zoom(start, start + (place.right - LEFT) * scale);
    }
    return;
  }
  change({cursor: place.value(x)});
  if (drag) {
    drag.to = x;
    pen.fillStyle = colorOf("dim");
    pen.globalAlpha = 0.15;
    pen.fillRect(Math.min(drag.from, x), TOP, Math.abs(drag.from - x), place.bottom - TOP);
    pen.globalAlpha = 1;
  }
});
function release(event) {
  pointers.delete(event.pointerId);
  if (pointers.size < 2) pinch = null;
  if (drag && event.type === "pointerup" && Math.abs(drag.from - drag.to) > 6)
    zoom(place.value(Math.min(drag.from, drag.to)), place.value(Math.max(drag.from, drag.to)));
  else if (drag) draw();
  drag = null;
}
canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", release);
canvas.addEventListener("pointerleave", event => { if (event.pointerType === "mouse" && !drag) change({cursor: null}); });
canvas.addEventListener("dblclick", () => change({range: null}));
canvas.addEventListener("wheel", event => {
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    zoomAbout(place.value(inside(event)), Math.exp(Math.max(-50, Math.min(50, event.deltaY)) / 100));
  } else if (view.range && Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    pan(event.deltaX / place.width);
  }
}, {passive: false});

const WEIGHTS = [0, 0.6, 0.9, 0.97, 0.99, 0.999], AXES = race.axes;
function move(share) {
  const [start, stop] = range(), now = view.cursor === null ? (start + stop) / 2 : view.cursor + share * (stop - start);
  change({cursor: Math.max(start, Math.min(stop, now))});
}
const next = (list, now, by) => list[(list.indexOf(now) + by + list.length) % list.length];
const KEYS = {
  ArrowLeft: event => move(event.shiftKey ? -0.1 : -0.01), ArrowRight: event => move(event.shiftKey ? 0.1 : 0.01),
  Home: () => change({cursor: range()[0]}), End: () => change({cursor: range()[1]}),
  "+": () => zoomAbout(view.cursor ?? (range()[0] + range()[1]) / 2, 0.6),
  "-": () => zoomAbout(view.cursor ?? (range()[0] + range()[1]) / 2, 1 / 0.6),
  "[": () => pan(-0.2), "]": () => pan(0.2), 0: () => change({range: null}), Escape: () => change({cursor: null}),
  y: () => change({log: !view.log}), g: () => change({full: !view.full}), t: () => turn(next(AXES, view.axis, 1)),
  s: () => change({weight: WEIGHTS.find(one => one > view.weight) ?? 0.999}),
  S: () => change({weight: WEIGHTS.findLast(one => one < view.weight) ?? 0}),
  m: () => choose((view.quantity + 1) % race.quantities.length),
  M: () => choose((view.quantity + race.quantities.length - 1) % race.quantities.length),
};
canvas.addEventListener("keydown", event => {
  const act = KEYS[event.key === "=" ? "+" : event.key === "−" || event.key === "_" ? "-" : event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act(event);
});

$("quantity").addEventListener("change", event => choose(Number(event.target.value)));
$("axis").addEventListener("change", event => turn(event.target.value));
$("log").addEventListener("change", event => change({log: event.target.checked}));
$("full").addEventListener("change", event => change({full: event.target.checked}));
$("smooth").addEventListener("input", event => change({weight: Number(event.target.value)}));
$("reset").addEventListener("click", () => change({range: null}));
for (const button of legend) button.addEventListener("click", event => {
  const lane = lanes[Number(button.dataset.lane)];
  if (event.altKey || event.shiftKey) {
    const alone = lanes.every(other => other.shown === (other === lane));
    for (const other of lanes) other.shown = alone || other === lane;
  } else lane.shown = !lane.shown;
  for (const other of legend) other.setAttribute("aria-pressed", String(lanes[Number(other.dataset.lane)].shown));
  draw();
});

/* ---- light and dark ---- */

const system = window.matchMedia("(prefers-color-scheme: dark)"), root = document.documentElement;
const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
function theme() {
  $("theme").textContent = dark() ? "Light" : "Dark";
  draw();
}
$("theme").addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; theme(); });
system.addEventListener("change", theme);

for (const option of [...$("axis").options]) if (!AXES.includes(option.value)) option.remove();
$("still").hidden = true;
for (const one of [document.querySelector(".tools"), $("plot"), $("legend"), $("keys"), $("theme")]) one.hidden = false;
new ResizeObserver(draw).observe(canvas);
choose(0);
theme();
