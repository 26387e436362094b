// Blocks: sliders.py puts one way to paint for PAINT, the element's name for %s.
{ // shared
(function (root) {
  const data = JSON.parse(root.querySelector('script[type="application/json"]').text);
  const live = document.createElement('div');
  live.dataset.lmSuppressShortcuts = live.dataset.preventSwipe = 'true';
  live.innerHTML = `<div style="display: flex; flex-wrap: wrap; gap: 4px 32px; align-items: center">
    <button type="button" style="font: inherit">Reset</button></div><div style="overflow-x: auto"
    ><div style="line-height: 0"><div></div></div></div><p aria-live="polite"></p><style>
    #%s :focus-visible { outline: 3px solid #0072B2; outline-offset: 2px }
    #%s label { flex: 1 1 240px; margin: 0 }
    #%s input { display: block; width: 100%; margin: 2px 0 }
    #%s label svg { display: block; width: calc(100% - 16px); height: 1.5em; margin: 0 8px;
      overflow: visible; font-size: 80% }</style>`;
  const [bar, scroll, readout] = live.children, reset = bar.querySelector('button');
  const stage = scroll.firstChild, picture = stage.firstChild;
  const tag = (name, at, text = '') =>
    `<${name} ${Object.entries(at).map(a => `${a[0]}="${a[1]}"`).join(' ')}>${text}</${name}>`;
  const say = (x, y, text, anchor = 'middle', more) =>
    tag('text', {x, y, 'text-anchor': anchor, ...more}, text);
  const line = (x1, y1, x2, y2, more) =>
    tag('line', {x1, y1, x2, y2, stroke: 'currentColor', ...more});
  const RED = '#D55E00', box = (x, y, width, height, fill, more) =>
    tag('rect', {x, y, width, height, fill, ...more});
  // A mark at each value, and a label at as many as there is room for, both ends among them.
  function ticks(values) {
    const texts = values.map(v => String(v).replace(/[&<]/g, c => `&#${c.charCodeAt()};`));
    const last = Math.max(1, values.length - 1), most = Math.max(...texts.map(t => t.length));
    const fits = n => last % n === 0 && (last / n + 1) * (most + 1) < 37;
    const every = texts.findIndex((_, n) => n && fits(n));
    const ends = most > 5 ? {0: 'start', [last]: 'end'} : {};
    const marks = texts.map(function (text, i) {
      const x = `${100 * i / last}%`;
      return line(x, 0, x, 5) + (every > 0 && i % every === 0 ? say(x, '1.3em', text, ends[i]) : '');
    });
    return tag('svg', {'aria-hidden': true, fill: 'currentColor'}, marks.join(''));
  }
  const inputs = data.controls.map(function (control) {
    const label = document.createElement('label'), {values, start} = control;
    label.innerHTML = `<span><span></span> = <output></output></span><input type="range" min="0"
      max="${values.length - 1}" value="${start}">` + ticks(values);
    const name = label.querySelector('span span'), input = label.querySelector('input');
    name.textContent = control.name;
    input.setAttribute('aria-label', control.name);
    input.addEventListener('input', draw);
    reset.before(label);
    return input;
  });
  const grid = (left, right, y, values) => values.map(v => line(left, y(v), right, y(v),
    {'stroke-opacity': 0.2}) + say(left - 6, y(v) + 5, +v.toFixed(3), 'end')).join('');
PAINT
  function draw() {
    const values = data.controls.map((c, i) => c.values[+inputs[i].value]);
    const index = inputs.reduce((n, input) => n * (+input.max + 1) + +input.value, 0);
    inputs.forEach(function (input, i) {
      input.parentElement.querySelector('output').textContent = values[i];
      input.setAttribute('aria-valuetext', data.controls[i].name + ' = ' + values[i]);
    });
    const frame = data.frames ? data.frames[index] : data.follow(...values);
    const said = Object.entries(frame.readout).map(e => e.join(': ')).join(' · ');
    const text = said.replace(/(^| )-(?=[.\d])/g, '$1−');
    picture.innerHTML = tag('svg', {viewBox: `0 0 ${width} ${height}`, width: '100%',
      role: 'img', 'font-size': type, fill: 'currentColor'}, paint(frame));
    picture.firstChild.setAttribute('aria-label', called + ', ' + text);
    readout.textContent = text;
  }
  live.onmousedown = live.onclick = event => event.stopPropagation();
  live.onkeydown = function (event) {
    // A deck's keys go on to the deck, which ignores those that are typed into an input.
    if (!window.Reveal || !/^(Page.*|Escape| |[bnp.])$/i.test(event.key)) event.stopPropagation();
    else event.preventDefault(event.target.blur());
  };
  reset.onclick = function () {
    inputs.forEach(function (input, i) { input.value = data.controls[i].start; });
    draw();
  };
  live.style.maxWidth = '760px';  // and letters of 11 to 18 px:
  stage.style.cssText += `min-width: ${11 / type * width}px; max-width: ${18 / type * width}px`;
  for (const element of root.querySelectorAll('p, table')) element.style.display = 'none';
  root.appendChild(live);
  if (scroll.scrollWidth > scroll.clientWidth) scroll.tabIndex = 0;
  draw();
})(document.getElementById('%s'));
}
{ // bars
  const called = 'bar chart', type = 14, width = 560, height = 278, left = 58, right = 552, foot = 236;
  function paint({bars, marks}) {
    const n = bars.length, half = Math.min(30, 178 / n), y = v => foot - v * 208;
    const x = i => left + (right - left) * (i + 0.5) / n, {axes, labels, highlight} = data;
    let svg = grid(left, right, y, [0, 0.25, 0.5, 0.75, 1]) + say(305, height - 8, axes[0]) +
      say(0, 0, axes[1], 'middle', {transform: `translate(12 ${foot - 104}) rotate(-90)`});
    bars.forEach(function (v, i) {
      if (n <= 10) svg += say(x(i), foot + 16, labels[i]);
      if (v === null) return;
      const low = v > 0.12, at = low ? foot - 6 : y(v) - 5;  // no mark crosses it at the foot
      svg += box(x(i) - half, y(v), 2 * half, foot - y(v), i === highlight ? RED : '#0072B2');
      if (n <= 10) svg += say(x(i), at, v.toFixed(n > 6 ? 2 : 3), 'middle', low && {fill: 'white'});
    });
    const across = (v, i) => v === null ? '' : line(x(i) - half - 5, y(v), x(i) + half + 5, y(v),
      {stroke: RED, 'stroke-width': 3});
    return svg + marks.map(across).join('');
  }
}
{ // points
  const called = 'points', type = 17, width = 530, height = 400, scale = height / data.steps;
  const shapes = ['M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0', 'M0-1.2L1.1.8H-1.1z', 'M-.9-.9H.9V.9H-.9z',
    'M0-1.3L1.3 0 0 1.3-1.3 0z', 'M0 1.2L1.1-.8H-1.1z',
    'M-.4-1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2V-.4H-.4z'];
  const inner = {'fill-opacity': 0.7}, edge = {stroke: 'currentColor', 'stroke-width': 0.25};
  const mark = (group, x, y, r, look) => tag('path', {d: shapes[group % 6],
    transform: `translate(${x} ${y}) scale(${r})`, fill: data.colors[group], ...look});
  const at = v => data.steps / 2 * (1 + v / 32767);
  function paint({points, marks = [], lines, zoom}) {
    let ruler = '';
    if (zoom) {  // a film
      const bytes = Uint8Array.from(atob(points.replaceAll('_', '/')), c => c.charCodeAt(0));
      const xy = new Int16Array(bytes.buffer), unit = 10 ** Math.floor(Math.log10(zoom));
      points = data.groups.map((g, i) => [g, at(xy[2 * i]), at(-xy[2 * i + 1])]);
      lines = lines.map(([a, b, c, d]) => [at(a), at(-b), at(c), at(-d)]);
      ruler = line(12, 388, 12 + unit / zoom * height / 2, 388, {'stroke-width': 3}) +
        say(12, 380, unit + (unit === 1 ? ' unit' : ' units'), 'start') +
        say(392, 390, 'feature 1 →', 'end') + say(10, 22, '↑ feature 2', 'start');
    }
    const all = (where, r, look) => where.map(([g, x, y]) => mark(g, x * scale, y * scale, r, look));
    const inside = [...lines.map(ends => line(...ends.map(v => v * scale))),
      ...all(points, 3, inner), ...all(marks, 8, edge)];
    const names = [...new Set((zoom ? points : marks).map(m => m[0]))].map((g, i) =>
      mark(g, height + 24, 30 + 26 * i, 6, inner) +
      say(height + 40, 35 + 26 * i, data.names[g], 'start'));
    return box(1, 1, height - 2, height - 2, 'none', {stroke: '#999'}) + ruler +
      tag('svg', {width: height, height}, inside.join('')) + names.join('');
  }
}
{ // gap
  const called = 'loss along the logit gap, target and softmax', type = 14, left = 52, foot = 250, tall = 214;
  const narrow = root.clientWidth && root.clientWidth < 600;  // there the curve is under the bars
  const [width, height, span] = narrow ? [400, 600, 330] : [760, 300, 388], right = left + span;
  const low = height - 50, end = data.controls[2].values.at(-1), handle = inputs[2];
  for (const other of [handle.previousSibling, handle.nextSibling]) other.style.display = 'none';
  handle.style.cssText = `width: calc(${100 * span / width}% + 16px);
    margin: 0 0 0 calc(${100 * left / width}% - 8px)`;
  picture.after(handle.parentElement);
  picture.style.cssText += 'cursor: ew-resize; touch-action: pan-y; user-select: none';
  function drag(event) {
    const at = picture.firstChild.getBoundingClientRect();
    const share = ((event.clientX - at.left) / at.width * width - left) / span;
    if (!event.buttons || share > 1.1 || event.clientY < at.bottom - at.width * 300 / width) return;
    event.preventDefault();
    handle.value = Math.round(share * handle.max);
    handle.focus();
    draw();
  }
  picture.onpointerdown = picture.onpointermove = picture.onmousedown = drag;
  data.follow = function (eps, k, gap) {
    const a = 1 - eps + eps / k, loss = g => Math.log(Math.exp(g) + k - 1) - a * g;
    const best = Math.log(a * k / eps), p = 1 / (1 + (k - 1) / Math.exp(gap));
    const least = eps ? `${loss(best).toFixed(3)}, at a gap of ${best.toFixed(3)}` : '0, never reached';
    return {readout: {gap: gap.toFixed(1), loss: loss(gap).toFixed(3), 'least loss': least},
      rows: [['probability: ' + data.name, a, p, 1],
        [k > 2 ? `each of ${k - 1} others` : 'the other', eps / k, (1 - p) / (k - 1), 1 / k]],
      look: {stroke: (eps && data.colors[eps]) || 'currentColor', 'stroke-width': 3}, loss, best, gap};
  };
  function paint({rows, look, loss, best, gap}) {
    const top = Math.ceil(2 * Math.max(loss(0), loss(end))) / 2, step = top > 2 ? 1 : 0.5;
    const x = g => left + g / end * span, y = v => low - v / top * tall;
    const path = Array.from({length: 181}, (_, i) => [x(i / 180 * end), y(loss(i / 180 * end))]);
    let svg = say((left + right) / 2, height - 10, `logit gap: ${data.name} above the others (nats)`) +
      say(14, height - 282, 'loss (nats)', 'start') + grid(left, right, y, Array.from({length: top / step + 1}, (_, i) => i * step));
    for (let g = 0; g <= end; g++) svg += say(x(g), low + 18, g);
    if (best < end) svg += say(x(best), y(loss(best)) - 10, 'least') +
      line(x(best), y(loss(best)), x(best), low, {'stroke-dasharray': '2 3'});
    svg += tag('path', {d: 'M' + path.join('L'), fill: 'none', ...look}) +
      line(left, low, x(gap), low, {stroke: RED, 'stroke-width': 7}) +
      line(x(gap), low, x(gap), y(loss(gap)), {stroke: RED}) +
      tag('circle', {cx: x(gap), cy: y(loss(gap)), r: 8, fill: RED});
    rows.forEach(function ([name, target, softmax, most], i) {
      const from = (narrow ? 88 : 508) + 142 * i, high = v => foot - v / most * tall;
      svg += say(from + 38, 18, name) + grid(from, from + 84, high, [0, most / 2, most]);
      const pair = [['softmax', softmax, '#56B4E9'], ['target', target, 'none', look]];
      pair.forEach(([what, v, fill, edge], j) => svg +=
        box(from + 14, high(v), 56, foot - high(v), fill, edge) +
        box(from - 28, foot + 10 + 20 * j, 11, 11, fill, edge) +
        say(from - 11, foot + 20 + 20 * j, `${what} ${v.toFixed(4)}`, 'start'));
    });
    return svg;
  }
}
