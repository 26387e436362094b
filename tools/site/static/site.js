/* What scrolls sideways must be reachable by keyboard, formulas too once they are set. */
addEventListener('load', async function () {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  const boxes = 'pre, mjx-container[display], .cell_output div:has(> table)';
  document.querySelectorAll(boxes).forEach(function (box) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  });
  document.body.dataset.ready = 'true';
});
