/* Make each slide's content fit its frame, then start reveal.js.

   What is too tall is set smaller, never below 60 %: the content gets a wider column and
   is scaled down to the frame. This is done for all slides at once, before the first
   one shows, so that handouts and slides that nobody has opened yet are right as well. */
(function () {
  'use strict';
  const WIDTH = 1280, HEIGHT = 720, FLOOR = 0.6, STEP = 0.02;

  function fit(content) {
    const style = getComputedStyle(content.parentElement);
    const room = {
      width: WIDTH - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight),
      height: HEIGHT - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom),
    };
    for (let scale = 1; ; scale -= STEP) {
      content.style.width = room.width / scale + 'px';
      const high = content.scrollHeight * scale <= room.height;
      const wide = content.scrollWidth <= content.clientWidth;
      if ((high && wide) || scale - STEP < FLOOR - 1e-9) {
        content.style.transform = scale < 1 ? 'scale(' + scale + ')' : '';
        content.dataset.scale = scale.toFixed(2);
        content.dataset.fits = high && wide;
        return;
      }
    }
  }

  function loaded() {
    if (document.readyState === 'complete') return Promise.resolve();
    return new Promise(done => addEventListener('load', done, {once: true}));
  }

  async function start() {
    await loaded();
    if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
    // The speaker's window lacks the style that hides these from the eye.
    document.querySelectorAll('.notes mjx-assistive-mml').forEach(e => e.remove());
    document.body.classList.add('measuring');
    document.querySelectorAll('.fit').forEach(fit);
    document.body.classList.remove('measuring');
    await Reveal.initialize({
      width: WIDTH, height: HEIGHT, margin: 0, minScale: 0.05, maxScale: 4,
      hash: true, center: false, controls: false, progress: true, slideNumber: 'c/t',
      transition: 'none', backgroundTransition: 'none',
      pdfSeparateFragments: false, pdfMaxPagesPerSlide: 1,
      plugins: [RevealNotes],
    });
    document.body.classList.add('started');
  }

  start();
})();
