// Looks for what a reader would stumble over, in every frame of this page. Each frame holds one report
// page at one width. The findings become the text of the element `findings`, as JSON.
'use strict';

function visible(element) {
  return element.getClientRects().length > 0;
}

function name(element) {
  const text = (element.textContent || '').trim().replace(/\s+/g, ' ').slice(0, 60);
  return element.tagName.toLowerCase() + (element.id ? '#' + element.id : '') + (text ? ' "' + text + '"' : '');
}

// The part of a line of text that has ink in it: a box has room for accents and descenders.
function ink(text) {
  const box = text.getBoundingClientRect();
  const slack = box.height * 0.16;
  return {text, left: box.left + 1, right: box.right - 1, top: box.top + slack, bottom: box.bottom - slack};
}

function overlaps(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

function textsOfPictures(page, say) {
  for (const picture of page.querySelectorAll('svg')) {
    if (!visible(picture)) continue;
    const frame = picture.getBoundingClientRect();
    const texts = [...picture.querySelectorAll('text')].map(ink);
    texts.forEach((one, index) => {
      for (const other of texts.slice(index + 1)) {
        if (overlaps(one, other)) say('overlap', name(one.text) + ' and ' + name(other.text));
      }
      if (one.left < frame.left - 2 || one.right > frame.right + 2 || one.bottom > frame.bottom + 4) {
        say('leaves its picture', name(one.text));
      }
    });
  }
}

// A column or row of bare numbers, and the words that say what they count.
function axes(page, say) {
  for (const picture of page.querySelectorAll('svg')) {
    if (!visible(picture)) continue;
    const texts = [...picture.querySelectorAll('text')].map(ink);
    const bare = texts.filter(it => /^[−-]?[\d.,]+$/.test(it.text.textContent.trim()));
    const words = texts.filter(it => /[a-z]{2,}.*\s.*[a-z]{2,}/i.test(it.text.textContent));
    const em = texts.length ? texts[0].bottom - texts[0].top : 0;
    const groups = new Map();
    for (const it of bare) {
      for (const key of ['column ' + Math.round(it.right / 3), 'row ' + Math.round(it.bottom / 3)]) {
        groups.set(key, [...(groups.get(key) || []), it]);
      }
    }
    for (const [key, group] of groups) {
      // A lone zero in every panel is no axis.
      if (new Set(group.map(it => it.text.textContent)).size < 3) continue;
      const top = Math.min(...group.map(it => it.top));
      const bottom = Math.max(...group.map(it => it.bottom));
      const near = key.startsWith('column')
        ? words.some(it => it.bottom <= top + em && it.bottom > top - 5 * em)
        : words.some(it => it.top >= bottom - em && it.top < bottom + 5 * em);
      if (!near) say('axis without unit', name(picture) + ', ' + key + ': ' + group.map(it => it.text.textContent).join(' '));
    }
  }
}

function widths(page, view, say) {
  const width = view.innerWidth;
  if (page.scrollingElement.scrollWidth > width + 1) {
    say('wider than the window', 'the page is ' + page.scrollingElement.scrollWidth + ' wide');
  }
  for (const element of page.body.querySelectorAll('*')) {
    // What scrolls by itself may be as wide as it likes, and pictures are looked at above.
    if (!visible(element) || element.closest('.scroll, pre, svg, .hidden')) continue;
    const box = element.getBoundingClientRect();
    if (box.right > width + 1 || box.left < -1) say('wider than the window', name(element));
  }
}

function words(page, say) {
  for (const image of page.querySelectorAll('img')) {
    if (!image.alt) say('picture without words', name(image));
  }
  for (const picture of page.querySelectorAll('svg')) {
    const ids = (picture.getAttribute('aria-labelledby') || '').split(' ');
    const told = ids.map(id => (page.getElementById(id) || {}).textContent || '');
    if (told.length < 2 || told.some(text => text.length < 3)) say('picture without words', name(picture));
  }
  for (const figure of page.querySelectorAll('figure')) {
    if (!figure.querySelector('table tbody td')) say('chart without table', name(figure));
    if (![...figure.querySelectorAll('svg')].some(visible)) say('chart not shown', name(figure));
  }
}

window.addEventListener('load', () => {
  const findings = [];
  for (const frame of document.querySelectorAll('iframe')) {
    const page = frame.contentDocument;
    const say = (what, where) => findings.push({page: frame.title, what, where});
    if (!page.querySelector('main')) say('empty', 'nothing was loaded');
    textsOfPictures(page, say);
    axes(page, say);
    widths(page, frame.contentWindow, say);
    words(page, say);
  }
  const out = document.createElement('pre');
  out.id = 'findings';
  out.textContent = JSON.stringify(findings);
  document.body.replaceChildren(out);
});
