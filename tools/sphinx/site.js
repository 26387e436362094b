/* What scrolls sideways must be reachable by keyboard. */
document.addEventListener('DOMContentLoaded', function () {
  document.querySelectorAll('pre, .cell_output div:has(> table)').forEach(function (box) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  });
});
