/* Computes prediction, effects, Shapley values and trust of rows of a fitted additive game, in a browser or in Node.
 *
 * Input is the content of a saved explainer: `fitted`, that part of the manifest, and `arrays`, its members by name, each
 * {shape, data} with a typed array. Formulas are those of model/additive_model.py, model/lookup.py, table/encoding.py and
 * trust/rows.py. No dependencies, no drawing.
 */
(function (root) {
  "use strict";

  // Residuals below this share of the spread are rounding (inference/residuals.py).
  const ROUNDING = 1e-6;
  // Place in a presence set that stands for any one other player (game/terms.py).
  const ANY = -1;
  // Quantiles of held-out residual sizes: the ends of a 90 % interval, and the median.
  const LEVELS = [0.05, 0.5, 0.95];

  const NUMBERS = { "<f8": Float64Array, "<i4": Int32Array, "<i8": BigInt64Array, "|b1": Uint8Array };

  /** Arrays from {name: {dtype, shape, data}} with base64 of little-endian numbers. */
  function decodeArrays(packed) {
    const arrays = {};
    for (const [name, each] of Object.entries(packed)) {
      const text = atob(each.data);
      const bytes = new Uint8Array(text.length);
      for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
      arrays[name] = { shape: each.shape, data: new NUMBERS[each.dtype](bytes.buffer) };
    }
    return arrays;
  }

  function pad(number) {
    return String(number).padStart(5, "0");
  }

  function readBasis(arrays, column, size) {
    const first = arrays[`column_${pad(column)}_first_${size}`].data;
    const { shape, data } = arrays[`column_${pad(column)}_polynomials_${size}`];
    return { first, polynomials: data, width: shape[1], nPowers: shape[2] };
  }

  /** Texts that may represent a level elsewhere: 101 for 101.0, True or 1, an interval of whole numbers; as table/bases.py. */
  function writeForms(level) {
    if (typeof level === "boolean") return level ? ["True", "1"] : ["False", "0"];
    return [String(level).replace(/(?<=\d)\.0+(?=$|[,\])])/g, "")];
  }

  /** Cell of each text that may represent a level; null for a text that may represent several. */
  function listForms(levels) {
    const forms = new Map();
    levels.forEach((level, cell) => writeForms(level).forEach((form) => forms.set(form, forms.has(form) ? null : cell)));
    return forms;
  }

  /** Cell of a level, or of the only one with the same text as a value of another type; else that of other levels. */
  function findCell(column, value) {
    if (column.cells.has(value)) return column.cells.get(value);
    if (typeof value === "number" && !Number.isSafeInteger(value) && Number.isInteger(value)) return column.cells.size;  // rounded
    for (const form of writeForms(value)) {
      const cell = column.forms.get(form);
      if (cell === undefined || cell === null) continue;
      if (typeof value !== "string" || typeof column.levels[cell] !== "string" || "([".includes(form[0])) return cell;
    }
    return column.cells.size;
  }

  function readColumn(fitted, arrays, column) {
    const { levels } = fitted.columns[column];
    const part = (name) => arrays[`column_${pad(column)}_${name}`].data;
    return {
      cells: levels === null ? null : new Map(levels.map((level, cell) => [level, cell])),
      levels,
      forms: levels === null ? null : listForms(levels),
      edges: part("edges"),
      lows: part("lows"),
      scales: part("scales"),
      bases: [0, 1, 2].map((size) => readBasis(arrays, column, size)),
    };
  }

  /** Cell and offset t in [0, 1] of a value: a number, text, true, false, or null (NaN) for missing. */
  function encode(column, value) {
    const isMissing = value === null || value === undefined || Number.isNaN(value);
    if (column.cells !== null) {
      return [isMissing ? column.cells.size + 1 : findCell(column, value), 0];
    }
    if (isMissing) return [column.edges.length + 1, 0];
    let low = 0;
    let high = column.edges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (column.edges[middle] < value) low = middle + 1;
      else high = middle;
    }
    const scale = column.scales[low];
    return [low, scale > 0 ? Math.min(Math.max((value - column.lows[low]) * scale, 0), 1) : 0];  // the difference may be infinite
  }

  /** First non-zero function of a basis at (cell, t), and the values of all non-zero ones. */
  function weigh(basis, [cell, t]) {
    const values = new Float64Array(basis.width);
    for (let m = 0; m < basis.width; m++) {
      const start = (cell * basis.width + m) * basis.nPowers;
      let value = basis.polynomials[start + basis.nPowers - 1];
      for (let power = basis.nPowers - 2; power >= 0; power--) value = value * t + basis.polynomials[start + power];
      values[m] = value;
    }
    return { first: basis.first[cell], values };
  }

  /** Values of a term's parts: sums over the products of the non-zero functions of its axes. */
  function lookUp(term, axes) {
    const { data, nParts, strides } = term;
    const parts = new Float64Array(nParts);
    const visit = (axis, node, factor) => {
      if (axis === axes.length) {
        for (let part = 0; part < nParts; part++) parts[part] += factor * data[node + part];
        return;
      }
      const { first, values } = axes[axis];
      for (let m = 0; m < values.length; m++) visit(axis + 1, node + (first + m) * strides[axis], factor * values[m]);
    };
    visit(0, 0, 1);
    return parts;
  }

  /** Binomial coefficient. */
  function choose(number, size) {
    let ways = 1;
    for (let taken = 0; taken < size; taken++) ways *= Math.max(number - taken, 0) / (size - taken);
    return ways;
  }

  /** Number of sets that a presence set stands for, and the Shapley shares in them of a named and of any other player.
   *
   * Places stand for players that varied among the rows of the fit, of which there are nVarying.
   */
  function shareOut(players, nVarying) {
    const nAny = players.filter((player) => player === ANY).length;
    const nOthers = nVarying - (players.length - nAny);
    const count = choose(nOthers, nAny);
    const others = nAny === 0 ? 0 : choose(nOthers - 1, nAny - 1) / players.length;
    return { count, named: count / players.length, others };
  }

  /** A term with the coefficients of each of its parts in the prediction and in each player's Shapley value. */
  function readTerm(fitted, arrays, number, nPlayers, nOutputs) {
    const { shape, data } = arrays[`table_${pad(number)}`];
    const { shape: mixed, data: mixing } = arrays[`mixing_${pad(number)}`];
    const [nParts, nPresence] = mixed;
    const strides = shape.slice(0, -1).map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    const isNull = new Set(fitted.null_players || []);
    const sums = new Float64Array(nParts * nOutputs);
    const credits = new Float64Array(nParts * nPlayers * nOutputs);
    for (let part = 0; part < nParts; part++)
      for (let set = 0; set < nPresence; set++) {
        const players = fitted.presence_sets[number][set];
        const { count, named, others } = shareOut(players, nPlayers - isNull.size);
        for (let output = 0; output < nOutputs; output++) {
          const weight = mixing[(part * nPresence + set) * nOutputs + output];
          sums[part * nOutputs + output] += weight * count;
          if (others !== 0)
            for (let player = 0; player < nPlayers; player++)
              if (!players.includes(player) && !isNull.has(player)) credits[(part * nPlayers + player) * nOutputs + output] += weight * others;
          for (const player of players)
            if (player !== ANY) credits[(part * nPlayers + player) * nOutputs + output] += weight * named;
        }
      }
    const shares = [];
    for (let part = 0; part < nParts; part++) {
      const own = [];
      for (let slot = 0; slot < nPlayers * nOutputs; slot++) {
        const share = credits[part * nPlayers * nOutputs + slot];
        if (share !== 0) own.push([slot, share]);
      }
      shares.push(own);
    }
    return { columns: fitted.value_sets[number], data, nParts, strides, sums, shares };
  }

  /** Product of the whole numbers up to one. */
  function factorial(number) {
    return number < 2 ? 1 : number * factorial(number - 1);
  }

  /** Indices (model/index_part.py): functions of linear predictions, with each player's share of them. */
  function readIndices(fitted, arrays, nOutputs) {
    if (!fitted.index) return [];
    const { columns, present, absent } = fitted.index;
    const nodes = arrays.index_nodes;
    const nNodes = nodes.shape[1];
    return present.map((inside, number) => {
      const [r, e] = [inside.length, absent[number].length];
      const whole = factorial(r + e);
      const size = (nNodes + 1) * nOutputs;
      return {
        used: columns.flatMap((column, place) => {
          const weight = arrays.index_weights.data[number * columns.length + place];
          return weight === 0 ? [] : [{ column, weight, score: arrays[`index_score_${pad(column)}`].data }];
        }),
        constant: arrays.index_constants.data[number],
        nodes: nodes.data.subarray(number * nNodes, (number + 1) * nNodes),
        values: arrays.index_values.data.subarray(number * size, (number + 1) * size),
        shares: [
          ...inside.map((player) => [player, (factorial(r - 1) * factorial(e)) / whole]),
          ...absent[number].map((player) => [player, -(factorial(r) * factorial(e - 1)) / whole]),
        ],
      };
    });
  }

  /** Add an index's function to the Shapley values of a row. */
  function addIndex({ used, constant, nodes, values, shares }, main, isMissing, totals, nOutputs) {
    let z = constant;
    for (const { column, weight, score } of used)
      main[column].values.forEach((each, m) => (z += weight * each * score[main[column].first + m]));
    let below = 0;
    while (below < nodes.length - 2 && nodes[below + 1] < z) below++;
    const span = nodes[below + 1] - nodes[below];
    const share = span > 0 ? Math.min(Math.max((z - nodes[below]) / span, 0), 1) : 0;
    const lacks = used.some(({ column }) => isMissing[column]);
    for (let output = 0; output < nOutputs; output++) {
      const at = (node) => values[node * nOutputs + output];
      const value = lacks ? at(nodes.length) : (1 - share) * at(below) + share * at(below + 1);
      for (const [player, part] of shares) totals[player * nOutputs + output] += part * value;
    }
  }

  /** Median of sorted sizes between the ends of their 90 % interval, in increasing order. */
  function pickTypical(sizes) {
    return LEVELS.map((level) => {
      const place = Math.ceil(level * (sizes.length + 1)) - 1;
      return sizes[Math.min(Math.max(place, 0), sizes.length - 1)];
    });
  }

  /** Held-out residuals of the fit: three quantiles of their sizes, and the curves of their scale. */
  function readResiduals(fitted, arrays) {
    if (!fitted.residuals) return null;
    return {
      level: fitted.residuals.level,
      // A page holds the three quantiles, a saved explainer all sizes.
      typical: fitted.residuals.typical || pickTypical(arrays.residual_sizes.data),
      spread: arrays.residual_spread.data,
      curves: fitted.columns.map((_, column) => arrays[`residual_curves_${pad(column)}`]),
    };
  }

  /** The region of the fitted rows (table/reach.py). */
  function readReach(fitted, arrays) {
    if (!fitted.reach) return null;
    return {
      margin: fitted.reach.margin,
      side: fitted.reach.side,
      lows: arrays.reach_lows.data,
      highs: arrays.reach_highs.data,
      lengths: arrays.reach_lengths.data,
      bins: fitted.columns.map((_, column) => arrays[`reach_bins_${pad(column)}`].data),
      isSeen: arrays.reach_pairs.data,
      hasPairs: arrays.reach_pairs.shape[0] > 0,
      gaps: arrays.reach_gaps.data,
      nGaps: arrays.reach_gaps.shape[1],
      sums: Array.from({ length: fitted.reach.n_fixed_sums || 0 }, (_, number) => ({
        constant: arrays.reach_constants.data[number],
        members: fitted.columns.flatMap((_, column) => {
          const factor = arrays.reach_coefficients.data[number * fitted.columns.length + column];
          return factor === 0 ? [] : [{ column, factor }];
        }),
      })),
    };
  }

  /**
   * Distance of each column's value from the fitted rows, and columns in a combination that none of them has: two, or all
   * whose sum is the same in each of them.
   */
  function placeRow(reach, columns, places, row) {
    if (reach === null) return null;
    const parts = columns.map((_, column) => reach.bins[column][places[column][0]]);
    const distances = columns.map(({ cells }, column) => {
      const [low, high, value] = [reach.lows[column], reach.highs[column], row[column]];
      if (cells === null && value !== null && value !== undefined) {
        const length = reach.lengths[column];
        const beyond = Math.max((low - value) / length, (value - high) / length);
        if (beyond > reach.margin) return beyond;
        for (let at = 2 * reach.nGaps * column; at < 2 * reach.nGaps * (column + 1); at += 2) {
          const within = Math.min(value - reach.gaps[at], reach.gaps[at + 1] - value) / length;
          if (within > reach.margin / 2) return parts[column] < 0 ? 1 : within;
        }
      }
      return parts[column] < 0 ? 1 : 0;
    });
    const pairs = [];
    const width = reach.side + 1;
    for (let first = 0, number = 0; first < columns.length && reach.hasPairs; first++)
      for (let second = first + 1; second < columns.length; second++, number++)
        if (distances[first] === 0 && distances[second] === 0 &&
            !reach.isSeen[number * width * width + parts[first] * width + parts[second]]) pairs.push([first, second]);
    let nBroken = 0;
    for (const { members, constant } of reach.sums) {
      const values = members.map(({ column }) => (columns[column].cells === null ? row[column] : places[column][0]));
      if (values.some((value) => value === null || value === undefined) || members.some(({ column }) => distances[column] > 0)) continue;
      const total = members.reduce((sum, { factor }, place) => sum + factor * values[place], 0);
      const isListed = members.length === 2 && pairs.some((pair) => pair.every((each, place) => each === members[place].column));
      if (!(Math.abs(total - constant) > 1)) continue;
      nBroken += 1;
      if (!isListed) pairs.push(members.map(({ column }) => column));
    }
    return { distances, outside: distances.flatMap((distance, column) => (distance > 0 ? [column] : [])), pairs, nBroken };
  }

  function computeTrust(residuals, main, values, nPlayers, nOutputs, place, players) {
    if (residuals === null) return null;
    const lone = new Set(place === null ? [] : [...place.outside, ...place.pairs.flat()].map((column) => players[column]));
    const distance = place === null ? 0 : place.distances.reduce((sum, each) => sum + each, place.nBroken);
    let log = residuals.level;
    residuals.curves.forEach(({ shape, data }, column) => {
      main[column].values.forEach((weight, m) => (log += weight * data[(main[column].first + m) * shape[1]]));
    });
    let squares = 0;
    let known = 0;
    for (let output = 0; output < nOutputs; output++) {
      let [length, own] = [0, 0];
      for (let player = 0; player < nPlayers; player++) {
        const bar = Math.abs(values[player * nOutputs + output]);
        length += bar;
        if (!lone.has(player)) own += bar;
      }
      squares += (length / residuals.spread[output]) ** 2;
      known += (own / residuals.spread[output]) ** 2;
    }
    const [high, share, low] = residuals.typical.map((size, place) => {
      const whole = Math.sqrt(squares) + Math.max(Math.exp(log) * size - ROUNDING, 0) + distance;
      if (place === 2 && lone.size > 0) return 0;
      return whole > ROUNDING ? Math.sqrt(known) / whole : 1;
    });
    return { share, low, high };
  }

  /** Functions score(row), of values in the order of fitted.names, and evaluateTerm(number, values), of a term's columns. */
  function makeScorer(fitted, arrays) {
    const nPlayers = fitted.feature_names.length;
    const nOutputs = fitted.output_names.length;
    const base = arrays.base_value.data;
    const columns = fitted.columns.map((_, column) => readColumn(fitted, arrays, column));
    const terms = fitted.value_sets.map((_, number) => readTerm(fitted, arrays, number, nPlayers, nOutputs));
    const indices = readIndices(fitted, arrays, nOutputs);
    const residuals = readResiduals(fitted, arrays);
    const reach = readReach(fitted, arrays);

    function addEffect(term, parts, effect) {
      for (let part = 0; part < term.nParts; part++)
        for (let output = 0; output < nOutputs; output++)
          effect[output] += term.sums[part * nOutputs + output] * parts[part];
    }

    function evaluateTerm(number, values) {
      const term = terms[number];
      const axes = term.columns.map((column, place) =>
        weigh(columns[column].bases[term.columns.length - 1], encode(columns[column], values[place])));
      const effect = new Float64Array(nOutputs);
      addEffect(term, lookUp(term, axes), effect);
      return effect;
    }

    function score(row) {
      const places = columns.map((column, number) => encode(column, row[number]));
      const weights = columns.map((column, number) => column.bases.map((basis) => weigh(basis, places[number])));
      const values = new Float64Array(nPlayers * nOutputs);
      const effects = terms.map(() => new Float64Array(nOutputs));
      const prediction = Float64Array.from(base);
      terms.forEach((term, number) => {
        const size = term.columns.length - 1;
        const parts = lookUp(term, term.columns.map((column) => weights[column][size]));
        addEffect(term, parts, effects[number]);
        term.shares.forEach((shares, part) => {
          for (const [slot, share] of shares) values[slot] += share * parts[part];
        });
        for (let output = 0; output < nOutputs; output++) prediction[output] += effects[number][output];
      });
      const place = placeRow(reach, columns, places, row);
      const main = weights.map((each) => each[0]);
      const isMissing = columns.map(({ bases }, column) => places[column][0] === bases[0].first.length - 1);
      for (const index of indices) addIndex(index, main, isMissing, values, nOutputs);
      const trust = computeTrust(residuals, main, values, nPlayers, nOutputs, place, fitted.players);
      return { prediction, effects, values, trust, place };
    }

    return { score, evaluateTerm, base, nPlayers, nOutputs };
  }

  const instashapScorer = { decodeArrays, makeScorer };
  if (typeof module === "object" && module.exports) module.exports = instashapScorer;
  else root.instashapScorer = instashapScorer;
})(typeof globalThis === "object" ? globalThis : this);
