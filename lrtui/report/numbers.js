/* What there is to draw: curves out of the page, the view that a person has chosen, and the axes that follow from both. */

const $ = name => document.getElementById(name);
const race = JSON.parse($("record").textContent);
const canvas = $("chart"), box = $("values"), pen = canvas.getContext("2d");
const legend = [...$("legend").querySelectorAll("button")];
const LEFT = 64, RIGHT = 12, TOP = 18, BOTTOM = 40, MOST_MARKS = 200, MOST_ROWS = 16;

/* ---- numbers out of the page ---- */

const KINDS = {f4: Float32Array, f8: Float64Array, u4: Uint32Array};
function unpack(text, kind) {
  return new KINDS[kind](Uint8Array.from(atob(text), sign => sign.charCodeAt(0)).buffer);
}

/* A curve by columns: steps and ends, lo, hi, last, mean, finite; gap and cut are 1 where a column has one. */
function curveOf(packed) {
  const n = packed.columns, last = unpack(packed.last, "f4"), flags = places => {
    const found = new Uint8Array(n);
    for (const place of places || []) found[place] = 1;
    return found;
  };
  let steps, ends;
  if (packed.steps) {
    steps = unpack(packed.steps, "f8");
    ends = unpack(packed.ends, "f8");
  } else {
    const count = packed.end - packed.first, edge = place => packed.first + Math.ceil(place * count / n);
    steps = Float64Array.from({length: n}, (_, place) => edge(place));
    ends = Float64Array.from({length: n}, (_, place) => edge(place + 1) - 1);
  }
  const part = name => packed[name] ? unpack(packed[name], "f4") : last;
  const finite = packed.finite ? unpack(packed.finite, "u4") : new Uint32Array(n).fill(1);
  return {n, steps, ends, last, lo: part("lo"), hi: part("hi"), mean: part("mean"), finite, gap: flags(packed.gap),
          cut: flags(packed.cut), single: !packed.lo, xs: {}, smooth: {}};
}

const lanes = race.lanes.map((lane, index) => ({...lane, index, shown: true, time: unpack(lane.time, "f4"), wall: unpack(lane.wall, "f4"),
  // No prototype: a metric may be called "constructor".
  curves: Object.assign(Object.create(null), Object.fromEntries(Object.entries(lane.curves).map(([name, packed]) => [name, curveOf(packed)]))),
  abandoned: lane.abandoned.map(curveOf)}));

/* Seconds up to the end of a step, of training or by the wall's clock: exact at a column's end, a straight line in between.
   seconds[0] is where the lane begins, seconds[i] the end of column i - 1. */
function secondsAt(lane, step) {
  const ends = lane.curves.loss ? lane.curves.loss.ends : [], seconds = lane[view.axis], place = firstFrom(ends, step);
  if (!ends.length) return 0;
  if (place >= ends.length) return seconds[ends.length];
  const before = place ? ends[place - 1] : lane.born - 1;
  return seconds[place] + (seconds[place + 1] - seconds[place]) * Math.max(step - before, 0) / Math.max(ends[place] - before, 1);
}

/* The first place whose value is not below `value`, in rising numbers. */
function firstFrom(numbers, value) {
  let low = 0, high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

function xOf(lane, step) {
  if (view.axis === "step") return step;
  if (view.axis === "samples") return step * lane.stepSamples;
  return view.axis === "epoch" ? step / Math.max(lane.perEpoch, 1) : secondsAt(lane, step);
}
function xsOf(lane, curve) {
  if (!curve.xs[view.axis]) curve.xs[view.axis] = Float64Array.from(curve.steps, (step, place) => xOf(lane, (step + curve.ends[place]) / 2));
  return curve.xs[view.axis];
}

/* The line of a curve: what was recorded, the mean of each column where a column holds more than one value, or TensorBoard's
   debiased average, in which a column of n finite values counts as n steps at their mean. NaN passes through. */
function lineOf(curve) {
  const weight = view.weight;
  if (!weight) return curve.mean;
  if (!curve.smooth[weight]) {
    const found = new Float64Array(curve.n);
    let sum = 0, seen = 0;
    for (let place = 0; place < curve.n; place++) {
      const keep = Math.pow(weight, curve.finite[place]);
      if (curve.finite[place]) {
        sum = sum * keep + (1 - keep) * curve.mean[place];
        seen += curve.finite[place];
      }
      found[place] = curve.finite[place] ? sum / (1 - Math.pow(weight, seen)) : NaN;
    }
    curve.smooth = {[weight]: found};
  }
  return curve.smooth[weight];
}

/* ---- what is shown ---- */

const view = {quantity: 0, axis: "step", log: false, full: false, weight: 0, range: null, cursor: null};
const quantity = () => race.quantities[view.quantity];
const shown = () => lanes.filter(lane => lane.shown && lane.curves[quantity().name]);
const curve = lane => lane.curves[quantity().name];

const clocked = () => view.axis === "time" || view.axis === "wall";
function whole() {
  const ends = lanes.map(lane => clocked() ? lane[view.axis][lane[view.axis].length - 1] || 0 : xOf(lane, race.total - 1));
  const end = Math.max(...ends);
  return [0, end > 0 ? end : 1];
}
const range = () => view.range || whole();

/* Lowest and highest values of a curve in sight, in at most BINS stretches of x: by them its outliers are told. */
const BINS = 128;
function binned(lane) {
  const [start, stop] = range(), one = curve(lane), xs = xsOf(lane, one), bins = [];
  let last = -1, first = NaN;
  for (let column = firstFrom(xs, start); column < one.n && xs[column] <= stop; column++) {
    const low = one.lo[column], high = one.hi[column], bin = Math.floor((xs[column] - start) / (stop - start) * BINS);
    if (low !== low) continue;
    if (first !== first) first = one.mean[column];
    if (bin === last) {
      const known = bins[bins.length - 1];
      bins[bins.length - 1] = [Math.min(known[0], low), Math.max(known[1], high)];
    } else bins.push([low, high]);
    last = bin;
  }
  return {bins, first, well: lane.well};
}

/* What must be seen of a curve: without what is beyond its 5 % and 95 % quantiles, but with its end where it ended well. The
   rule of the screen (core/ranges.py). */
function parts({bins, well}, tails) {
  const part = some => {
    const lows = some.map(bin => bin[0]), highs = some.map(bin => bin[1]);
    return [Math.min(...lows), Math.max(...highs), Math.min(...lows.map((low, i) => low > 0 ? low : highs[i] > 0 ? highs[i] : Infinity))];
  };
  if (!bins.length || view.full) return bins.length ? [part(bins)] : [];
  const quantile = (values, share) => values.length ?
    values.sort((a, b) => a - b)[(share < 0.5 ? Math.floor : Math.ceil)(share * (values.length - 1))] : Infinity;
  const low = quantile(bins.map(bin => bin[0]), 0.05), high = Math.max(quantile(bins.map(bin => bin[1]), 0.95), low);
  const positives = bins.flatMap(bin => bin[0] > 0 ? [bin[0]] : bin[1] > 0 ? [bin[1]] : []);
  const middle = [low, high, low > 0 ? low : quantile(positives, 0.05)];
  return tails && well ? [middle, part(bins.slice(-Math.max(1, Math.round(0.05 * bins.length))))] : [middle];
}

/* The y axis. A curve that ended by exploding has no say beside others, but for where it began. */
function limits() {
  const all = shown().map(binned), good = all.filter(one => one.well);
  let found = (view.full ? [] : good).flatMap(one => parts(one, true));
  if (!found.length) found = all.flatMap(one => parts(one, false));
  if (!found.length) return {low: 0.1, high: 1, log: view.log, none: true};
  let low = Math.min(...found.map(part => part[0])), high = Math.max(...found.map(part => part[1]));
  const size = 10 * Math.max(Math.abs(low), Math.abs(high)), positive = Math.min(...found.map(part => part[2]));
  for (const {first, well} of all) if ((view.log || !well) && Math.abs(first) <= size) {
    low = Math.min(low, first);
    high = Math.max(high, first);
  }
  const rates = quantity().name.startsWith("applied_lr") && positive < Infinity, log = view.log && (low > 0 || rates);
  if (log && low <= 0) low = positive;
  if (log) {
    if (high / low < 1.05) { low /= 1.5; high *= 1.5; }
    const pad = Math.pow(high / low, 0.04);
    return {low: low / pad, high: high * pad, log};
  }
  const pad = (high - low) * 0.04 || Math.abs(high) * 0.5 || 1;
  return {low: low - pad, high: high + pad, log};
}
