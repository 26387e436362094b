/* Start reveal.js; or, where the address ends in ?handout, lay the slides out to print. */
(function () {
  'use strict';

  function loaded() {
    if (document.readyState === 'complete') return Promise.resolve();
    return new Promise(done => addEventListener('load', done, {once: true}));
  }

  // On paper a film stands at its last step, with ε = 0.1.
  function settle(slider) {
    const numbers = slider.querySelector('script[type="application/json"]').text;
    const {controls} = JSON.parse(numbers), inputs = slider.querySelectorAll('input');
    if (!controls.some(control => control.name === 'step')) return;
    controls.forEach(function ({name, values}, place) {
      inputs[place].value = name === 'step' ? values.length - 1 : values.indexOf(0.1);
      inputs[place].dispatchEvent(new Event('input'));
    });
  }

  async function start() {
    await loaded();
    if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
    // The speaker's window lacks the style that hides these from the eye.
    document.querySelectorAll('.notes mjx-assistive-mml').forEach(e => e.remove());
    if (location.search === '?handout') {
      document.body.classList.add('handout');
      // It has a layout of its own for paper.
      document.querySelector('link[href$="reveal.css"]').disabled = true;
      document.querySelectorAll('section').forEach(slide =>
        slide.insertAdjacentHTML('afterend', '<div class="ruled"></div>'));
      document.querySelectorAll('.slider').forEach(settle);
      return;
    }
    await Reveal.initialize({
      width: 1280, height: 720, margin: 0, minScale: 0.05, maxScale: 4,
      hash: true, center: false, controls: false, progress: true, slideNumber: 'c/t',
      transition: 'none', backgroundTransition: 'none', display: 'flex',
      plugins: [RevealNotes],
    });
    document.body.classList.add('started');
  }

  start();
})();
