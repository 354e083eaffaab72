"use strict";
/* Vectors, rotations and colours of the viewer, as plain arrays. */

function turn(axis, angle) {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  if (axis === 0) return [[1, 0, 0], [0, c, -s], [0, s, c]];
  if (axis === 1) return [[c, 0, s], [0, 1, 0], [-s, 0, c]];
  return [[c, -s, 0], [s, c, 0], [0, 0, 1]];
}

const apply = (m, v) => m.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
const multiply = (a, b) => a.map((row) => [0, 1, 2].map((k) => row[0] * b[0][k] + row[1] * b[1][k] + row[2] * b[2][k]));
const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
const mix3 = (a, b, t) => [0, 1, 2].map((k) => a[k] + (b[k] - a[k]) * t);
const blend = (a, b, t) => mix3(a, b, t);
const shade = (a, factor) => a.map((x) => x * factor);
const css = (c) => `rgb(${c.map((x) => Math.round(Math.min(255, x))).join()})`;

const START = multiply(turn(0, -1.25), turn(2, -0.42));

function corners(cell) {
  const found = [];
  for (const u of [0, 1]) for (const v of [0, 1]) for (const w of [0, 1]) {
    found.push([0, 1, 2].map((k) => u * cell[0][k] + v * cell[1][k] + w * cell[2][k]));
  }
  return found;
}

function parseColour(text) {
  const hex = text.trim().replace("#", "");
  return [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16));
}

function viridis(t) {
  const stops = [[68, 1, 84], [49, 104, 142], [53, 183, 121], [253, 231, 37]];
  const x = Math.min(0.999, Math.max(0, t)) * 3;
  return mix3(stops[Math.floor(x)], stops[Math.floor(x) + 1], x - Math.floor(x)).map(Math.round);
}
