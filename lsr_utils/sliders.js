// Three blocks: sliders.py puts one way to paint for PAINT, the element's name for %s.
{ // shared
(function (root) {
  const data = JSON.parse(root.querySelector('script[type="application/json"]').text);
  const live = document.createElement('div');
  live.dataset.lmSuppressShortcuts = 'true';
  live.style.cssText = 'font: 15px sans-serif; max-width: 560px';
  const inputs = data.controls.map(function (control) {
    const label = document.createElement('label');
    label.style.cssText = 'display: block; margin: 4px 0';
    label.innerHTML = '<span style="display:inline-block;min-width:8em"><b></b>' +
      ' = <output></output></span><input type="range" min="0" max="' +
      (control.values.length - 1) + '" value="' + control.start +
      '" style="width:20em;max-width:60%;vertical-align:middle">';
    const name = label.querySelector('b'), input = label.querySelector('input');
    name.style.fontWeight = 'normal';
    name.textContent = control.name;
    input.setAttribute('aria-label', control.name);
    input.addEventListener('input', draw);
    live.appendChild(label);
    return input;
  });
  const picture = document.createElement('div');
  const readout = document.createElement('p');
  readout.setAttribute('aria-live', 'polite');
  readout.style.cssText = 'margin: 4px 0';
  live.append(picture, readout);

PAINT
  function draw() {
    let index = 0;
    data.controls.forEach(function (control, c) {
      const at = +inputs[c].value, value = control.values[at];
      index = index * control.values.length + at;
      inputs[c].parentElement.querySelector('output').textContent = value;
      inputs[c].setAttribute('aria-valuetext', control.name + ' = ' + value);
    });
    const frame = data.frames[index];
    const text = Object.entries(frame.readout).map(e => e[0] + ': ' + e[1]).join(' · ');
    paint(frame);
    picture.firstChild.setAttribute('aria-label', called + ', ' + text);
    readout.textContent = text;
  }
  ['keydown', 'mousedown', 'click'].forEach(function (name) {
    live.addEventListener(name, event => event.stopPropagation());
  });
  root.querySelector('table').style.display = 'none';
  root.appendChild(live);
  draw();
})(document.getElementById('%s'));
}

{ // bars
  const called = 'bar chart';
  const width = 560, height = 240, left = 46, right = 8, top = 22, bottom = 24;

  function paint(frame) {
    const bars = frame.bars, n = bars.length;
    const x = i => left + (width - left - right) * (i + 0.5) / n;
    const y = v => height - bottom - v / data.top * (height - top - bottom);
    const wide = Math.min(60, 0.72 * (width - left - right) / n);
    let svg = '';
    [0, 0.25, 0.5, 0.75, 1].forEach(function (share) {
      const v = share * data.top;
      svg += '<line x1="' + left + '" x2="' + (width - right) + '" y1="' + y(v) +
        '" y2="' + y(v) + '" stroke="currentColor" stroke-opacity="0.2"/><text x="' +
        (left - 6) + '" y="' + (y(v) + 4) + '" text-anchor="end">' + v.toFixed(2) +
        '</text>';
    });
    bars.forEach(function (v, i) {
      if (n <= 10) svg += '<text x="' + x(i) + '" y="' + (height - 6) +
        '" text-anchor="middle">' + data.labels[i] + '</text>';
      if (v === null) return;
      const fill = i === data.highlight ? '#D55E00' : '#0072B2';
      svg += '<rect x="' + (x(i) - wide / 2) + '" y="' + y(v) + '" width="' + wide +
        '" height="' + (y(0) - y(v)) + '" fill="' + fill + '"/>';
      // With marks the number stands at the foot, where no mark crosses it.
      const foot = frame.marks.length > 0 && v > 0.12 * data.top;
      if (n <= 10) svg += '<text x="' + x(i) + '" y="' + (foot ? y(0) - 6 : y(v) - 5) +
        '" text-anchor="middle"' + (foot ? ' fill="white"' : '') + '>' + v.toFixed(3) +
        '</text>';
    });
    frame.marks.forEach(function (v, i) {
      if (v === null) return;
      svg += '<line x1="' + (x(i) - wide / 2 - 5) + '" x2="' + (x(i) + wide / 2 + 5) +
        '" y1="' + y(v) + '" y2="' + y(v) + '" stroke="#D55E00" stroke-width="3"/>';
    });
    picture.innerHTML = '<svg viewBox="0 0 ' + width + ' ' + height +
      '" width="100%" role="img" font-size="13" fill="currentColor">' + svg + '</svg>';
  }
}

{ // points
  const called = 'points';
  const size = 400, key = 130, scale = size / data.steps;

  function mark(group, x, y, r, edge) {
    const at = (a, b) => (x + a * r).toFixed(1) + ',' + (y + b * r).toFixed(1);
    const polygons = [null, [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]],
      [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
      [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
      [[0, 1.2], [1.1, -0.8], [-1.1, -0.8]],
      [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4],
       [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]]];
    const look = ' fill="' + data.colors[group] + '" fill-opacity="' +
      (edge ? 1 : 0.7) + '"' + (edge ? ' stroke="currentColor" stroke-width="2"' : '');
    const corners = polygons[group % 6];
    if (!corners) return '<circle cx="' + x.toFixed(1) + '" cy="' + y.toFixed(1) +
      '" r="' + r + '"' + look + '/>';
    return '<polygon points="' + corners.map(c => at(c[0], c[1])).join(' ') + '"' +
      look + '/>';
  }
  function paint(frame) {
    const groups = [...new Set(frame.marks.map(m => m[0]))];
    let svg = '<rect x="0.5" y="0.5" width="' + (size - 1) + '" height="' + (size - 1) +
      '" fill="none" stroke="currentColor" stroke-opacity="0.3"/>';
    frame.lines.forEach(function (line) {
      const [x1, y1, x2, y2] = line.map(v => v * scale);
      svg += '<line x1="' + x1 + '" y1="' + y1 + '" x2="' + x2 + '" y2="' + y2 +
        '" stroke="currentColor"/>';
    });
    frame.points.forEach(p => svg += mark(p[0], p[1] * scale, p[2] * scale, 3, false));
    frame.marks.forEach(p => svg += mark(p[0], p[1] * scale, p[2] * scale, 8, true));
    groups.forEach((g, i) => svg += mark(g, size + 24, 30 + 26 * i, 6, false) +
      '<text x="' + (size + 40) + '" y="' + (35 + 26 * i) + '"></text>');
    picture.innerHTML = '<svg viewBox="0 0 ' + (size + key) + ' ' + size +
      '" width="100%" role="img" font-size="15" fill="currentColor">' + svg + '</svg>';
    picture.querySelectorAll('text').forEach(function (t, i) {
      t.textContent = data.names[groups[i]];
    });
  }
}
