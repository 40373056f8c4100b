// The chart of the analytics page, drawn anew with Chart.js from the table that stands below it.
'use strict';
addEventListener('DOMContentLoaded', () => {
  const table = document.getElementById('daily');
  const box = document.getElementById('chart');
  if (!table || !box || !window.Chart) return;
  const drawn = box.querySelector('svg');
  const number = (cell) => Number(cell.dataset.n);
  const rows = [...table.tBodies[0].rows].reverse();
  const style = (selector) => getComputedStyle(drawn.querySelector(selector));
  const [line, soft, grid, text] = [style('.ln').stroke, style('.soft').fill, style('.grid').stroke, style('text').fill];
  const canvas = document.createElement('canvas');
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', drawn.querySelector('title').textContent);
  const view = document.createElement('div');
  view.className = 'chartview';
  view.append(canvas);
  box.replaceChildren(view);
  box.classList.remove('minw'); // it fits itself to the width, and scrolls no more
  const scale = (position, title, more) => ({
    position, beginAtZero: true, border: { display: false }, ticks: { color: text, maxTicksLimit: 6, precision: 0 },
    title: { display: true, text: title, color: text }, ...more,
  });
  new window.Chart(canvas, {
    type: 'line',
    data: {
      labels: rows.map((row) => row.cells[0].textContent),
      datasets: [
        { label: 'Evaluations', data: rows.map((row) => number(row.cells[1])), borderColor: line, backgroundColor: soft, fill: true },
        { label: 'People', data: rows.map((row) => number(row.cells[2])), borderColor: text, backgroundColor: text, borderDash: [4, 3], yAxisID: 'people' },
      ],
    },
    options: {
      animation: false, maintainAspectRatio: false, interaction: { mode: 'index', intersect: false },
      elements: { line: { borderWidth: 1.75, tension: 0 }, point: { radius: rows.length > 45 ? 0 : 2, hitRadius: 12 } },
      plugins: { legend: { labels: { color: text, boxWidth: 12, boxHeight: 2 } } },
      scales: {
        x: { grid: { display: false }, ticks: { color: text, maxRotation: 0, autoSkipPadding: 16 } },
        y: scale('left', 'Evaluations', { grid: { color: grid } }),
        people: scale('right', 'People', { grid: { display: false } }),
      },
    },
  });
});
