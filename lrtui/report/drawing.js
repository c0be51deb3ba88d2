/* The chart and its words: a function of what there is and of the view. */

let place = null;  /* of the last drawing: width, height, x and y as functions, and back */
function frame() {
  const width = canvas.clientWidth, height = canvas.clientHeight, [start, stop] = range(), y = limits();
  const right = width - RIGHT, bottom = height - BOTTOM, wide = right - LEFT, high = bottom - TOP;
  const scale = y.log ? Math.log : Number, low = scale(y.low), span = scale(y.high) - low;
  return {width, height, right, bottom, start, stop, limits: y,
    x: value => LEFT + (value - start) / (stop - start) * wide,
    y: value => y.log && value <= 0 ? bottom + 9 : bottom - Math.max(-9, Math.min(9, (scale(value) - low) / span)) * high,
    value: pixel => start + (pixel - LEFT) / wide * (stop - start)};
}

const colorOf = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

function draw() {
  if (!canvas.clientWidth) return;
  const dots = window.devicePixelRatio || 1;
  place = frame();
  if (canvas.width !== Math.round(place.width * dots) || canvas.height !== Math.round(place.height * dots)) {
    canvas.width = Math.round(place.width * dots);
    canvas.height = Math.round(place.height * dots);
  }
  pen.setTransform(dots, 0, 0, dots, 0, 0);
  pen.clearRect(0, 0, place.width, place.height);
  axes();
  pen.save();
  pen.beginPath();
  pen.rect(LEFT, TOP - 1, place.right - LEFT + 1, place.bottom - TOP + 2);
  pen.clip();
  pen.lineJoin = "round";
  for (const lane of shown()) {
    const one = curve(lane);
    pen.strokeStyle = colorOf("l" + lane.color);
    pen.setLineDash(lane.dash);
    const line = lineOf(one);
    if (quantity().name === "loss") {  /* what a lane did before it went back, faint */
      pen.globalAlpha = 0.5;
      pen.lineWidth = 1.25;
      for (const gone of lane.abandoned) stroke(lane, gone, gone.mean, gone.mean);
      pen.globalAlpha = 1;
    }
    if (view.weight || !one.single) {  /* all that was recorded, faint behind the line */
      pen.globalAlpha = 0.3;
      pen.lineWidth = 1.25;  /* lines of one pixel are drawn piece by piece, and where they lie on each other they are not faint */
      stroke(lane, one, one.lo, one.hi);
      pen.globalAlpha = 1;
    }
    pen.lineWidth = 1.75;
    stroke(lane, one, line, line);
  }
  pen.restore();
  pen.setLineDash([]);
  for (const lane of shown()) signs(lane, curve(lane));
  if (view.cursor !== null) crosshair();
  showValues();
  $("reset").disabled = !view.range;
}

/* One stroke up and down in each column that is in sight; none across what is not finite. */
function stroke(lane, one, lows, highs) {
  const xs = xsOf(lane, one), from = Math.max(firstFrom(xs, place.start) - 1, 0);
  let at = NaN;
  pen.beginPath();
  for (let column = from; column < one.n; column++) {
    const low = lows[column], high = highs[column];
    if (low !== low) { at = NaN; continue; }
    const x = place.x(xs[column]), a = place.y(low), b = place.y(high);
    const first = at === at && Math.abs(at - a) < Math.abs(at - b) ? a : b, last = first === a ? b : a;
    if (at !== at || one.cut[column]) {
      pen.moveTo(x, first);
      pen.lineTo(x + 0.1, first);
    } else pen.lineTo(x, first);
    if (last !== first) pen.lineTo(x, last);
    at = last;
    if (xs[column] > place.stop) break;
  }
  pen.stroke();
}

/* Where a curve stops being finite, leaves the axis, and what happened to the lane. */
function signs(lane, one) {
  const xs = xsOf(lane, one), values = lineOf(one), color = colorOf("l" + lane.color);
  let left = MOST_MARKS, above = false, known = -1;
  pen.textAlign = "center";
  pen.font = "700 13px system-ui, sans-serif";
  const put = (sign, x, y, tint) => {
    if (x < LEFT - 1 || x > place.right + 1 || left-- <= 0) return;
    pen.fillStyle = tint;
    pen.fillText(sign, x, Math.max(TOP + 10, Math.min(y, place.bottom)));
  };
  for (let column = 0; column < one.n; column++) {
    if (one.gap[column] && !(column && one.gap[column - 1])) {
      const there = one.finite[column] ? column : known;
      if (there >= 0) put("✗", place.x(xs[there]), place.y(one.mean[there]) + 5, colorOf("alert"));
    }
    if (one.finite[column]) known = column;
    const over = one.hi[column] > place.limits.high;
    if (over && !above && xs[column] >= place.start && xs[column] <= place.stop) put("↑", place.x(xs[column]), TOP + 10, color);
    above = over;
  }
  const standing = {};  /* marks of one step stand on each other */
  for (const [step, sign] of lane.marks) {
    const column = Math.min(firstFrom(one.ends, step), one.n - 1);
    if (column < 0 || values[column] !== values[column]) continue;
    standing[step] = (standing[step] || 0) + 1;
    put(sign, place.x(xOf(lane, step)), place.y(values[column]) + 9 - 13 * standing[step], sign === "!" ? colorOf("alert") : color);
  }
}

/* Round numbers between two ends, 1, 2 or 5 times a power of ten apart. */
function ticks(low, high, most) {
  const rough = (high - low) / most, power = Math.pow(10, Math.floor(Math.log10(rough)));
  const step = [1, 2, 5, 10].map(unit => unit * power).find(unit => unit >= rough * (1 - 1e-9));
  const found = [];
  for (let number = Math.ceil(low / step - 1e-9); number * step <= high + step * 1e-9; number++) found.push(number * step);
  return found;
}
/* Powers of ten, every second or third where there are many, with 2 and 5 between where there are few: the rule of the screen
   and of the still picture (core/labels.py). */
function logTicks(low, high, most) {
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9), found = [];
  const stride = Math.max(1, Math.ceil((last - first + 1) / most)), units = (last - first + 2) * 3 <= most + 3 ? [1, 2, 5] : [1];
  for (let power = first - 1; power <= last; power++)
    for (const unit of units) {
      const value = unit * Math.pow(10, power);
      if (power % stride === 0 && value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) found.push(value);
    }
  if (found.length > 1) return found;
  return high <= 10 * low ? ticks(low, high, most) : [low, high];
}

function axes() {
  const {low, high, log} = place.limits, rows = Math.max(2, Math.min(8, Math.floor((place.bottom - TOP) / 46)));
  pen.font = "12px system-ui, sans-serif";
  pen.lineWidth = 1;
  pen.strokeStyle = colorOf("grid");
  pen.fillStyle = colorOf("dim");
  pen.textAlign = "right";
  pen.beginPath();
  for (const value of log ? logTicks(low, high, rows) : ticks(low, high, rows)) {
    const y = Math.round(place.y(value)) + 0.5;
    pen.moveTo(LEFT, y);
    pen.lineTo(place.right, y);
    pen.fillText(short(value), LEFT - 8, y + 4);
  }
  pen.textAlign = "center";
  for (const value of ticks(place.start, place.stop, Math.max(2, Math.floor((place.right - LEFT) / 90)))) {
    if (view.axis === "step" && value !== Math.round(value)) continue;
    const x = Math.round(place.x(value)) + 0.5;
    pen.moveTo(x, place.bottom);
    pen.lineTo(x, place.bottom + 5);
    pen.fillText(clocked() ? clock(value) : count(value), Math.min(x, place.width - 16), place.bottom + 19);
  }
  pen.stroke();
  pen.fillText({step: "step", epoch: "epoch", samples: "samples seen", wall: "time on the wall", time: "training time, pauses left out"}[view.axis], (LEFT + place.right) / 2, place.height - 4);
  pen.textAlign = "left";
  pen.fillText(quantity().label + (log ? ", logarithmic" : "") + (place.limits.none ? ": nothing finite in sight" : ""), 2, 11);
}

function crosshair() {
  const x = Math.round(place.x(view.cursor)) + 0.5;
  pen.strokeStyle = colorOf("dim");
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(x, TOP);
  pen.lineTo(x, place.bottom);
  pen.stroke();
  for (const {lane, x: at, value} of valuesAt(view.cursor)) {
    if (value !== value) continue;
    const y = place.y(value);
    if (y < TOP - 2 || y > place.bottom + 2) continue;
    pen.beginPath();
    pen.arc(place.x(at), y, 4, 0, 7);
    pen.fillStyle = colorOf("l" + lane.color);
    pen.fill();
    pen.strokeStyle = colorOf("ground");
    pen.lineWidth = 1.5;
    pen.stroke();
  }
}

/* ---- words ---- */

function precise(value) {
  if (value !== value) return "NaN";
  if (!isFinite(value)) return value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  return size && (size < 1e-3 || size >= 1e6) ? value.toExponential(3).replace("e+", "e") : value.toPrecision(4);
}
function short(value) {
  const text = Number(value.toPrecision(4)), size = Math.abs(text);
  return size && (size < 1e-3 || size >= 1e5) ? Number(text).toExponential().replace("e+", "e") : String(text);
}
function count(value) {
  const text = Number(value.toPrecision(6)), size = Math.abs(text);
  if (size < 1e4) return String(text);
  return size < 1e6 ? Number((text / 1e3).toPrecision(5)) + "k" : Number((text / 1e6).toPrecision(5)) + "M";
}
function clock(seconds) {
  if (place.stop - place.start < 20) return Number(seconds.toPrecision(4)) + " s";
  const whole = Math.round(seconds), two = number => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60), hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${two(minutes % 60)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/* Each lane's column nearest to x, lowest value first; NaN and lanes that were over by then last. */
function valuesAt(x) {
  const found = [];
  for (const lane of shown()) {
    const one = curve(lane), xs = xsOf(lane, one), after = Math.min(firstFrom(xs, x), one.n - 1);
    const column = after && x - xs[after - 1] < xs[after] - x ? after - 1 : after, gap = (place.stop - place.start) / 200;
    const beyond = column === one.n - 1 && x > xs[column] + Math.max(gap, column ? xs[column] - xs[column - 1] : 0);
    const before = column === 0 && x < xs[0] - Math.max(gap, one.n > 1 ? xs[1] - xs[0] : 0);
    const value = beyond || before ? NaN : lineOf(one)[column];
    found.push({lane, one, column, x: xs[column], value, beyond, before, rank: value === value ? value : Infinity});
  }
  return found.sort((a, b) => a.rank - b.rank || a.lane.index - b.lane.index);
}

function stepWords(row, cursor) {
  if (!row) return `step ${Math.round(cursor)}`;
  const from = row.one.steps[row.column], to = row.one.ends[row.column];
  return from === to ? `step ${from}` : `means of steps ${from} to ${to}`;
}

function note({lane, one, column, beyond, before, value}) {
  if (beyond) return `ended at ${count(one.ends[one.n - 1])}`;
  if (before) return "not yet";
  if (value !== value) return "";
  if (one.lo[column] !== one.hi[column]) return `${precise(one.lo[column])} … ${precise(one.hi[column])}`;
  return view.weight ? precise(one.last[column]) : "";
}

/* Beside the line; on a phone below the chart, and there without a line too: the values at the end. */
const narrow = window.matchMedia("(max-width: 640px)");
function showValues() {
  box.hidden = (view.cursor === null && !narrow.matches) || !shown().length;
  if (box.hidden) return;
  const cursor = view.cursor ?? place.stop, rows = valuesAt(cursor), table = document.createElement("table"), head = document.createElement("div");
  const near = rows.find(row => !row.beyond && !row.before);
  head.className = "at";
  head.textContent = view.axis === "step" ? stepWords(near, cursor) : view.axis === "epoch" ? `epoch ${cursor.toPrecision(4)}` :
    view.axis === "samples" ? `after ${count(cursor)} samples` : `after ${clock(cursor)}`;
  for (const row of rows.slice(0, MOST_ROWS)) {
    const line = table.insertRow(), name = line.insertCell(), value = line.insertCell(), more = line.insertCell();
    const sign = document.createElement("b");
    line.dataset.lane = row.lane.letter;
    sign.className = "l" + row.lane.color;
    sign.textContent = row.lane.letter;
    name.append(sign, " " + row.lane.name);
    value.className = "value";
    value.textContent = row.beyond || row.before ? "–" : precise(row.value);
    more.className = "raw";
    more.textContent = note(row);
  }
  box.replaceChildren(head, table);
  if (rows.length > MOST_ROWS) {
    const rest = document.createElement("div");
    rest.className = "raw";
    rest.textContent = `and ${rows.length - MOST_ROWS} more`;
    box.append(rest);
  }
  if (narrow.matches) return;
  const x = place.x(cursor), wide = box.offsetWidth;
  box.style.left = Math.max(0, x + 16 + wide < place.width ? x + 16 : Math.max(x - 16 - wide, x < place.width / 2 ? place.width - wide : 0)) + "px";
}
