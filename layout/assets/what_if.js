"use strict";
/* What happens if: the quick estimate in the page. First the arithmetic, whole numbers only and the same as layout/quick.py and
   layout/footpaths.py; then what a meeting sees and clicks. Sentences stand in the message catalogue, colours in plan_map.css. */

const whatIf = (() => {
  const LOST = ["no_seat", "no_bed", "no_route"], GRADES = 9, PARTS = 2520, STEEPEST = 286;
  const MODES = ["walk", "bus", "board", "none"], STATUSES = ["served", "beyond_limit", ...LOST];

  /* ---- reading what was packed ---- */
  function bytesOf(text) {
    const raw = atob(text), out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }
  // RFC 1951, for browsers that cannot inflate by themselves
  function inflate(source, size) {
    const out = new Uint8Array(size), bases = [], dists = [];
    for (let i = 0, base = 3; i < 28; i++) { const extra = i < 8 ? 0 : (i >> 2) - 1; bases.push([base, extra]); base += 1 << extra; }
    bases.push([258, 0]);
    for (let i = 0, base = 1; i < 30; i++) { const extra = i < 4 ? 0 : (i >> 1) - 1; dists.push([base, extra]); base += 1 << extra; }
    let at = 0, bit = 0, end = 0;
    const bits = (n) => {
      let value = 0;
      for (let i = 0; i < n; i++) { value |= ((source[at] >> bit) & 1) << i; if (++bit === 8) { bit = 0; at++; } }
      return value;
    };
    const tree = (lengths) => {
      const count = new Uint16Array(16), next = new Uint16Array(16), symbols = new Uint16Array(lengths.length);
      for (const n of lengths) count[n]++;
      count[0] = 0;
      for (let i = 1; i < 16; i++) next[i] = next[i - 1] + count[i - 1];
      lengths.forEach((n, symbol) => { if (n) symbols[next[n]++] = symbol; });
      return { count, symbols };
    };
    const read = ({ count, symbols }) => {
      let code = 0, first = 0, index = 0;
      for (let length = 1; length < 16; length++) {
        code |= (source[at] >> bit) & 1;
        if (++bit === 8) { bit = 0; at++; }
        const n = count[length];
        if (code - first < n) return symbols[index + code - first];
        index += n;
        first = (first + n) << 1;
        code <<= 1;
      }
      throw new Error("no such code");
    };
    const fixed = [tree([...Array(144).fill(8), ...Array(112).fill(9), ...Array(24).fill(7), ...Array(8).fill(8)]), tree(Array(30).fill(5))];
    for (let last = 0; !last; ) {
      last = bits(1);
      const kind = bits(2);
      if (kind === 0) {
        if (bit) { bit = 0; at++; }
        const length = source[at] | (source[at + 1] << 8);
        out.set(source.subarray(at + 4, at + 4 + length), end);
        at += 4 + length;
        end += length;
        continue;
      }
      let [literal, distance] = fixed;
      if (kind === 2) {
        const literals = bits(5) + 257, distances = bits(5) + 1, given = bits(4) + 4, lengths = Array(19).fill(0), all = [];
        for (let i = 0; i < given; i++) lengths[[16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15][i]] = bits(3);
        const codes = tree(lengths);
        while (all.length < literals + distances) {
          const symbol = read(codes);
          if (symbol < 16) all.push(symbol);
          else for (let n = symbol === 16 ? 3 + bits(2) : symbol === 17 ? 3 + bits(3) : 11 + bits(7), value = symbol === 16 ? all[all.length - 1] : 0; n; n--) all.push(value);
        }
        [literal, distance] = [tree(all.slice(0, literals)), tree(all.slice(literals))];
      }
      for (let symbol = read(literal); symbol !== 256; symbol = read(literal)) {
        if (symbol < 256) { out[end++] = symbol; continue; }
        const [base, extra] = bases[symbol - 257], length = base + bits(extra), [far, more] = dists[read(distance)], back = far + bits(more);
        for (let i = 0; i < length; i++, end++) out[end] = out[end - back];
      }
    }
    return out;
  }
  async function inflated(source, size) {
    if (typeof DecompressionStream === "function")
      try {
        const stream = new Blob([source]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
        return new Uint8Array(await new Response(stream).arrayBuffer());
      } catch (error) {
        // an older browser knows the stream but not this kind of it
      }
    return inflate(source, size);
  }
  async function unpack(data) {
    const size = data.blocks.reduce((sum, [, n, wide]) => sum + n * wide, 0), bytes = await inflated(bytesOf(data.data), size), blocks = {};
    let at = 0;
    for (const [name, n, wide] of data.blocks) {
      const values = new Int32Array(n);
      for (let i = 0, sum = 0; i < n; i++) {
        let folded = bytes[at + i];
        if (wide > 1) folded |= bytes[at + i + n] << 8;
        if (wide > 2) folded |= bytes[at + i + 2 * n] << 16;
        if (wide > 3) folded |= bytes[at + i + 3 * n] << 24;
        sum += (folded >>> 1) ^ -(folded & 1);
        values[i] = sum;
      }
      blocks[name] = values;
      at += n * wide;
    }
    return modelOf(data, blocks);
  }
  const slower = (data, band) => {
    const own = data.speeds[band], fastest = Math.max(...data.speeds), { never } = data, { longest } = data.paths;
    return (seconds) => {
      if (seconds >= never) return never;
      const slow = Math.floor((2 * seconds * fastest + own) / (2 * own));
      return slow > longest ? never : slow;
    };
  };
  function modelOf(data, blocks) {
    const places = data.settlements.length, sites = data.schools.length, fastest = data.speeds.indexOf(Math.max(...data.speeds)), { rows, columns } = blocks;
    const model = { data, places, sites, walk: [], week: new Uint16Array(places * sites), columns: new Map() }, { never } = data, bands = data.bands.length;
    const spread = (coded, table, value) => {
      for (let i = 0, from = 0; i < places; i++)
        for (let j = 0, row = rows[i] * sites; j < sites; j++, from++) table[row + columns[j]] = value(coded[from], row + columns[j]);
      return table;
    };
    spread(blocks.week, model.week, (coded) => (coded ? coded * data.week_step - data.week_step : never));
    for (const band of [fastest, ...data.bands.keys()].filter((b, i) => i === 0 || b !== fastest)) {
      const first = model.walk[fastest], slow = slower(data, band);
      model.walk[band] = spread(blocks["walk" + band], new Uint16Array(places * sites), band === fastest ? (coded) => (coded ? coded - 1 : never) : (coded, cell) => {
        const expected = slow(first[cell]), value = coded + (expected === never ? 0 : expected + 1);
        return value ? value - 1 : never;
      });
    }
    // every way by day that there is, in the order of settlement, band and school: school, on foot, riding; and where each settlement's band begins
    const { ridden } = blocks, column = new Int32Array(sites).fill(-1), ways = [];
    ridden.forEach((k, i) => { column[k] = i; });
    model.first = new Int32Array(places * bands + 1);
    for (let v = 0; v < places; v++)
      for (let b = 0; b < bands; b++) {
        const walk = model.walk[b], rides = blocks["bus" + b];
        for (let k = 0; k < sites; k++) {
          const on_foot = walk[v * sites + k], coded = column[k] < 0 ? 0 : rides[v * ridden.length + column[k]];
          if (on_foot < never || coded) ways.push(k, on_foot, coded ? coded - 1 : never);
        }
        model.first[v * bands + b + 1] = ways.length;
      }
    model.ways = Int32Array.from(ways);
    delete model.walk;
    model.pupils = data.years.map((year) => Object.fromEntries(data.variants.map((variant) => {
      const all = blocks["pupils_" + year + "_" + variant];
      return [variant, { home: all.subarray(0, places * GRADES), seat: all.subarray(places * GRADES, places * GRADES + GRADES), away: all[places * GRADES + GRADES] }];
    })));
    const p = (model.paths = { ...data.paths });
    for (const name of ["lon", "lat", "place", "node", "settlement_lon", "settlement_lat", "slopes", "out", "back", "grid"]) p[name] = blocks["path_" + name];
    const tail = blocks.path_tail, head = blocks.path_head, ahead = blocks.path_ahead, behind = blocks.path_behind, nodes = p.lon.length;
    // arcs by the node they leave, and by the node they reach
    for (const away of [true, false]) {
      const pointer = new Int32Array(nodes + 2), from = [], to = [], cost = [];
      for (let i = 0; i < tail.length; i++) {
        if (ahead[i]) { from.push(away ? tail[i] : head[i]); to.push(away ? head[i] : tail[i]); cost.push(ahead[i] - 1); }
        if (behind[i]) { from.push(away ? head[i] : tail[i]); to.push(away ? tail[i] : head[i]); cost.push(behind[i] - 1); }
      }
      for (const node of from) pointer[node + 2]++;
      for (let i = 2; i < nodes + 2; i++) pointer[i] += pointer[i - 1];
      const heads = new Int32Array(from.length), costs = new Int32Array(from.length);
      from.forEach((node, i) => { const slot = pointer[node + 1]++; heads[slot] = to[i]; costs[slot] = cost[i]; });
      p[away ? "forward" : "backward"] = { pointer, heads, costs };
    }
    p.height = heights(p, p.lon, p.lat);
    p.settlement_height = heights(p, p.settlement_lon, p.settlement_lat);
    return model;
  }

  /* ---- a school put anywhere ---- */
  function heightAt(p, lon, lat) {
    const [rows, columns] = p.heights, [west, south] = p.corner, [wide, high] = p.step, h = p.grid;
    const east = Math.min(Math.max(lon - west, 0), (columns - 1) * wide), north = Math.min(Math.max(lat - south, 0), (rows - 1) * high);
    const column = Math.min(Math.floor(east / wide), columns - 2), row = Math.min(Math.floor(north / high), rows - 2);
    const u = east - column * wide, v = north - row * high, at = row * columns + column;
    const below = h[at] * (wide - u) + h[at + 1] * u, above = h[at + columns] * (wide - u) + h[at + columns + 1] * u;
    return Math.floor((below * (high - v) + above * v) / (wide * high));
  }
  const heights = (p, lon, lat) => Int32Array.from(lon, (value, i) => heightAt(p, value, lat[i]));
  function across(p, lon, lat, height, east, north) {
    const near = [], towards = [], back = [], here = heightAt(p, east, north), most = p.radius_mm ** 2;
    for (let i = 0; i < lon.length; i++) {
      const square = ((lon[i] - east) * p.lon_mm) ** 2 + ((lat[i] - north) * p.lat_mm) ** 2;
      if (square > most) continue;
      const rise = 100 * (here - height[i]), metres = Math.max(Math.floor(Math.sqrt(square)), Math.floor((7 * Math.abs(rise) + 1) / 2));
      const slope = Math.floor((2000 * rise + metres) / Math.max(2 * metres, 1));
      near.push(i);
      towards.push(Math.floor((metres * p.pace * p.slopes[STEEPEST + slope] + 5e9) / 1e10));
      back.push(Math.floor((metres * p.pace * p.slopes[STEEPEST - slope] + 5e9) / 1e10));
    }
    return [near, towards, back];
  }
  function labels(p, { pointer, heads, costs }, near, ground, never) {
    const label = new Int32Array(p.lon.length).fill(never), keys = [], nodes = [];
    const push = (key, node) => {
      let i = keys.length;
      for (; i > 0; ) {
        const up = (i - 1) >> 1;
        if (keys[up] <= key) break;
        keys[i] = keys[up];
        nodes[i] = nodes[up];
        i = up;
      }
      keys[i] = key;
      nodes[i] = node;
    };
    const pop = () => {
      const key = keys.pop(), node = nodes.pop(), n = keys.length;
      let i = 0;
      if (!n) return;
      for (;;) {
        let down = 2 * i + 1;
        if (down >= n) break;
        if (down + 1 < n && keys[down + 1] < keys[down]) down++;
        if (keys[down] >= key) break;
        keys[i] = keys[down];
        nodes[i] = nodes[down];
        i = down;
      }
      keys[i] = key;
      nodes[i] = node;
    };
    const reach = (node, seconds) => {
      if (seconds <= p.longest && seconds < label[node]) {
        label[node] = seconds;
        push(seconds, node);
      }
    };
    near.forEach((node, i) => reach(node, ground[i]));
    while (keys.length) {
      const seconds = keys[0], node = nodes[0];
      pop();
      if (seconds > label[node]) continue;
      for (let i = pointer[node]; i < pointer[node + 1]; i++) reach(heads[i], seconds + costs[i]);
    }
    return label;
  }
  // seconds of the fastest band from every settlement; the same place is looked up once
  function dropped(model, east, north) {
    const key = east + "," + north, { paths: p, data } = model;
    if (model.columns.has(key)) return model.columns.get(key);
    const [near, ...ground] = across(p, p.lon, p.lat, p.height, east, north), [at, ...straight] = across(p, p.settlement_lon, p.settlement_lat, p.settlement_height, east, north);
    const ways = [p.backward, p.forward].map((arcs, away) => {
      const label = labels(p, arcs, near, ground[away], data.never), step = away ? p.back : p.out, seconds = new Int32Array(model.places).fill(data.never);
      for (let i = 0; i < p.place.length; i++) {
        if (!step[i]) continue;
        const sum = label[p.node[i]] + step[i] - 1;
        if (sum < seconds[p.place[i]]) seconds[p.place[i]] = sum;
      }
      at.forEach((place, i) => { if (straight[away][i] < seconds[place]) seconds[place] = straight[away][i]; });
      return seconds.map((s) => (s > p.longest ? data.never : s));
    });
    const column = ways[0].map((there, i) => (p.slower || ways[1][i] === data.never || there === data.never ? Math.max(there, ways[1][i]) : there));
    let nearest = -1, least = Infinity;
    for (let i = 0; i < model.places; i++) {
      const square = ((p.settlement_lon[i] - east) * p.lon_mm) ** 2 + ((p.settlement_lat[i] - north) * p.lat_mm) ** 2;
      if (square < least) [least, nearest] = [square, i];
    }
    const found = { walk: data.bands.map((_, band) => column.map(slower(data, band))), seat: nearest >= 0 && data.seat[nearest] === 1, nearest };
    model.columns.set(key, found);
    return found;
  }

  /* ---- the estimate ---- */
  const seconds = (minutes) => Math.floor(minutes * 60 + 0.5);
  // stable, by seconds; entries come in the order of settlement, band, school
  function sorted(entries, never) {
    const start = new Int32Array(never + 2), n = entries.length / 4, out = new Int32Array(entries.length);
    for (let i = 0; i < n; i++) start[entries[4 * i] + 1]++;
    for (let i = 1; i < start.length; i++) start[i] += start[i - 1];
    for (let i = 0; i < n; i++) {
      const to = 4 * start[entries[4 * i]]++;
      for (let k = 0; k < 4; k++) out[to + k] = entries[4 * i + k];
    }
    return out;
  }
  // seconds, settlement * 3 + band, school, whether one rides: kept until limits or the schools put on the map change
  function dayPairs(model, limits, added) {
    const key = JSON.stringify([limits, added.map((s) => [s.east, s.north])]);
    if (model.day && model.day.key === key) return model.day;
    const near = [], far = [], { data, sites, ways, first } = model, extra = added.map((s) => dropped(model, s.east, s.north)), bands = data.bands.length, { never } = data;
    const foot = ["lower", "upper", "junior"].map((band) => seconds(limits["walk." + band])), bus = ["lower", "upper", "junior"].map((band) => seconds(limits["bus." + band]));
    for (let vb = 0; vb < model.places * bands; vb++) {
      const b = vb % bands, v = (vb - b) / bands;
      const put = (k, walk, ride) => {
        if (walk < never && walk <= foot[b]) near.push(walk, vb, k, 0);
        else if (ride < never && ride <= bus[b]) near.push(ride, vb, k, 1);
        else if (walk < never || ride < never) far.push(Math.min(walk, ride), vb, k, ride < walk ? 1 : 0);
      };
      for (let i = first[vb]; i < first[vb + 1]; i += 3) put(ways[i], ways[i + 1], ways[i + 2]);
      for (let k = 0; k < extra.length; k++) put(sites + k, extra[k].walk[b][v], never);
    }
    return (model.day = { key, near: sorted(near, never), far: sorted(far, never) });
  }
  function weekPairs(model, limits, withBeds) {
    const key = JSON.stringify([limits.week, withBeds]);
    if (model.weekly && model.weekly.key === key) return model.weekly.pairs;
    const pairs = [], { data, sites } = model, most = seconds(limits.week), bands = data.bands.length;
    for (let v = 0; v < model.places; v++)
      for (let b = 0; b < bands; b++)
        if (data.boards[b]) for (const k of withBeds) {
          const week = model.week[v * sites + k];
          if (week < data.never && week <= most) pairs.push(week, v * bands + b, k, 0);
        }
    model.weekly = { key, pairs: sorted(pairs, data.never) };
    return model.weekly.pairs;
  }
  /* scenario: { year (place in the list), variant, limits, sizes, schools: [[kind, first, last, rooms, beds] or null], added: [{ east, north, state }] } */
  function estimate(model, scenario) {
    const { data, places, sites } = model, bands = data.bands.length, pupils = model.pupils[scenario.year][scenario.variant];
    const states = [...scenario.schools, ...scenario.added.map((s) => s.state)], count = states.length;
    const taught = new Uint8Array(count * GRADES), size = new Int32Array(count * GRADES), classes = new Int32Array(count * GRADES), fill = new Int32Array(count * GRADES), over = new Int32Array(count * GRADES);
    const pool = new Int32Array(count), beds = new Int32Array(count), mixed = new Int32Array(count), together = new Int32Array(count).fill(data.mixed), part = new Int32Array(count).fill(-1), boarders = new Int32Array(count), seat = new Uint8Array(count);
    states.forEach((state, k) => {
      if (!state) return;
      const [kind, first, last, rooms, own] = state, incomplete = data.incomplete.includes(kind), many = last - first + 1;
      for (let g = 0; g < GRADES; g++) {
        const stage = incomplete ? "primary_incomplete" : g < 6 ? "primary" : "junior";
        taught[k * GRADES + g] = g + 1 >= first && g + 1 <= last ? 1 : 0;
        size[k * GRADES + g] = Math.min(scenario.sizes[stage], data.size_steps[scenario.year][incomplete ? 1 : 0][g]);
        classes[k * GRADES + g] = taught[k * GRADES + g] && rooms >= many ? 1 : 0;
        /* a mixed class holds no more than a class of one of its grades */
        if (taught[k * GRADES + g]) together[k] = Math.min(together[k], size[k * GRADES + g]);
      }
      mixed[k] = incomplete && rooms > 0 && rooms < many ? rooms : 0;
      pool[k] = mixed[k] ? 0 : rooms - (rooms >= many ? many : 0);
      beds[k] = own;
      part[k] = incomplete ? -1 : rooms * Math.floor(PARTS / many);
      seat[k] = k < sites ? data.schools[k][3] : dropped(model, scenario.added[k - sites].east, scenario.added[k - sites].north).seat ? 1 : 0;
    });
    const total = (table, k) => { let sum = 0; for (let g = 0; g < GRADES; g++) sum += table[k * GRADES + g]; return sum; };
    const take = (k, g, wanted) => {
      const at = k * GRADES + g;
      let room;
      if (mixed[k]) room = mixed[k] * together[k] - total(fill, k);
      else
        for (room = classes[at] * size[at] - fill[at]; room < wanted && pool[k] > 0; room += size[at]) {
          pool[k]--;
          classes[at]++;
        }
      const seated = Math.min(wanted, room);
      fill[at] += seated;
      return seated;
    };
    const totals = { pupils: pupils.away, served: 0, beyond_limit: 0, no_seat: 0, no_bed: 0, no_route: 0, away: pupils.away, boarders: 0, day_pupils: 0, day_seconds: 0, longest: 0 };
    // children who study at the county seat sit there first
    for (let g = 0; g < GRADES; g++) {
      const all = pupils.seat[g], there = [];
      totals.pupils += all;
      for (let k = 0; k < count; k++) if (seat[k] && taught[k * GRADES + g] && part[k] >= 0) there.push(k);
      if (!there.length) {
        totals.no_route += all;
        continue;
      }
      const sum = there.reduce((n, k) => n + part[k], 0), weight = there.map((k) => (sum ? part[k] : 1)), whole = sum || there.length;
      const shares = weight.map((w) => Math.floor((all * w) / whole)), rest = weight.map((w) => (all * w) % whole);
      const order = [...there.keys()].sort((a, b) => rest[b] - rest[a] || a - b);
      for (const i of order.slice(0, all - shares.reduce((a, b) => a + b, 0))) shares[i]++;
      const waiting = there.map((k, i) => shares[i] - take(k, g, shares[i]));
      there.forEach((k, i) => {
        for (const other of there) waiting[i] -= take(other, g, waiting[i]);
        over[k * GRADES + g] += waiting[i];
      });
      const lost = waiting.reduce((a, b) => a + b, 0);
      totals.no_seat += lost;
      totals.served += all - lost;
    }
    const left = Int32Array.from(pupils.home), open = new Int32Array(places * bands), rows = [], from = data.bands.map((of) => of[0]), upto = data.bands.map((of) => of[of.length - 1]);
    for (let v = 0; v < places; v++) data.bands.forEach((of, b) => { for (const g of of) open[v * bands + b] += left[v * GRADES + g]; });
    const stands = Uint8Array.from(states, (state) => (state ? 1 : 0));
    totals.pupils += open.reduce((a, b) => a + b, 0);
    const village = { unserved: new Int32Array(places), beyond: new Int32Array(places), seconds: new Float64Array(places), day: new Int32Array(places) };
    const { near, far } = dayPairs(model, scenario.limits, scenario.added);
    const go = (pairs, board, status) => {
      for (let i = 0; i < pairs.length; i += 4) {
        const vb = pairs[i + 1], k = pairs[i + 2];
        if (!open[vb] || !stands[k] || (board && !beds[k])) continue;
        const b = vb % bands, v = (vb - b) / bands;
        for (let g = from[b]; g <= upto[b]; g++) {
          let wanted = left[v * GRADES + g];
          if (!wanted || !taught[k * GRADES + g]) continue;
          if (board) wanted = Math.min(wanted, beds[k]);
          const seated = wanted ? take(k, g, wanted) : 0;
          if (!seated) continue;
          left[v * GRADES + g] -= seated;
          open[vb] -= seated;
          totals[STATUSES[status]] += seated;
          if (board) {
            beds[k] -= seated;
            boarders[k] += seated;
            totals.boarders += seated;
          } else {
            totals.day_pupils += seated;
            totals.day_seconds += seated * pairs[i];
            totals.longest = Math.max(totals.longest, pairs[i]);
            village.seconds[v] += seated * pairs[i];
            village.day[v] += seated;
          }
          if (status === 1) village.beyond[v] += seated;
          rows.push(v, g + 1, k, board ? 2 : pairs[i + 3], status, seated, pairs[i]);
        }
      }
    };
    go(near, false, 0);
    // new schools have no weekly way; the list is kept whether schools are open or not
    const withBeds = scenario.schools.map((state, k) => [k, state]).filter(([k, state]) => (state ? state[4] > 0 : data.states.some((year) => year[k] && year[k][4] > 0))).map(([k]) => k);
    go(weekPairs(model, scenario.limits, withBeds), true, 0);
    go(far, false, 1);
    // the nearest school of those who have no place: by day within the limit, then beyond it, then by the week where a bed is free
    const nearest = new Map();
    for (const pairs of open.some((n) => n) ? [near, far] : [])
      for (let i = 0; i < pairs.length; i += 4) {
        const vb = pairs[i + 1], k = pairs[i + 2];
        if (!open[vb] || !stands[k]) continue;
        const b = vb % bands, v = (vb - b) / bands;
        for (let g = from[b]; g <= upto[b]; g++) {
          const at = v * GRADES + g;
          if (left[at] && taught[k * GRADES + g] && !nearest.has(at)) nearest.set(at, k);
        }
      }
    const week = seconds(scenario.limits.week);
    for (let v = 0; v < places; v++)
      for (let g = 0; g < GRADES; g++) {
        const n = left[v * GRADES + g], b = g < 3 ? 0 : g < 6 ? 1 : 2;
        if (!n) continue;
        let k = nearest.has(v * GRADES + g) ? nearest.get(v * GRADES + g) : -1, weekly = false, least = data.never;
        if (k < 0 && data.boards[b])
          for (let s = 0; s < sites; s++) {
            const way = model.week[v * sites + s];
            if (!states[s] || !taught[s * GRADES + g] || way >= data.never || way > week) continue;
            weekly = true;
            if (beds[s] > 0 && way < least) [k, least] = [s, way];
          }
        if (k >= 0) over[k * GRADES + g] += n;
        const status = k >= 0 ? 2 : weekly ? 3 : 4;
        totals[STATUSES[status]] += n;
        village.unserved[v] += n;
        rows.push(v, g + 1, -1, 3, status, n, 0);
      }
    const sums = { classes: 0, above_standard: 0, oversized: 0, super: 0, seats_left: 0, beds_left: 0 };
    const schools = states.map((state, k) => {
      if (!state) return null;
      const groups = [], own = [];
      for (let g = 0; g < GRADES; g++) if (taught[k * GRADES + g]) own.push(k * GRADES + g);
      if (mixed[k]) groups.push([total(fill, k) + total(over, k), mixed[k], together[k]]);
      else for (const at of own) groups.push([fill[at] + over[at], Math.max(classes[at], 1), size[at]]);
      const filled = groups.filter((group) => group[0]), larger = (most) => filled.reduce((sum, [n, c, standard]) => {
        const above = most || standard, each = Math.floor(n / c);
        return sum + (each > above ? c : each + 1 > above ? n % c : 0);
      }, 0);
      const seats = mixed[k] ? mixed[k] * together[k] - total(fill, k) : own.reduce((sum, at) => sum + classes[at] * size[at] - fill[at], 0) + pool[k] * Math.min(...own.map((at) => size[at]));
      const found = {
        pupils: total(fill, k), turned_away: total(over, k), boarders: boarders[k], classes: filled.reduce((sum, group) => sum + group[1], 0),
        largest_class: filled.reduce((most, [n, c]) => Math.max(most, Math.ceil(n / c)), 0),
        above_standard: larger(0), oversized: larger(data.oversized - 1), super: larger(data.super - 1), seats_left: seats, beds_left: beds[k],
      };
      for (const name of Object.keys(sums)) sums[name] += found[name];
      return found;
    });
    return { totals: { ...totals, ...sums }, rows, schools, village };
  }
  function worseOff(now, before) {
    const out = [];
    for (let v = 0; v < now.village.unserved.length; v++) {
      const [n, far, sec] = ["unserved", "beyond", "seconds"].map((name) => now.village[name][v] - before.village[name][v]);
      if (n > 0 || (n === 0 && (far > 0 || (far === 0 && sec > 0)))) out.push([v, n, far, sec]);
    }
    return out.sort((a, b) => b[1] - a[1] || b[2] - a[2] || b[3] - a[3] || a[0] - b[0]);
  }
  return { unpack, inflate, bytesOf, estimate, dropped, worseOff, MODES, STATUSES, LOST };
})();

/* ---- what a meeting sees ---- */
async function tryOut(page) {
  const island = document.getElementById("what-if-data");
  if (!island) return;
  const { map, h, t, Mark, canvas, colour } = page, LIMITS = ["walk.lower", "walk.upper", "walk.junior", "bus.lower", "bus.upper", "bus.junior", "week"];
  const SIZES = ["primary", "junior", "primary_incomplete"], KINDS = { teaching_point: [1, 3, 3], small_primary: [1, 6, 6], primary: [1, 6, 12], junior: [7, 9, 6], nine_year: [1, 9, 18] };
  const MOST = 1000, LISTED = 30;
  let model;
  try {
    model = await whatIf.unpack(JSON.parse(island.textContent));
  } catch (error) {
    page.whatIf = { draw: () => document.getElementById("plan-what-if").replaceChildren(h("h2", {}, t("what_if.title")), h("p", { class: "note" }, t("what_if.no_browser"))) };
    page.whatIf.draw();
    return;
  }
  const { data } = model;
  // hundred-thousandths of a degree back to degrees, as they are written in a file
  const degrees = (n) => Math.round(n) / 1e5;
  const plain = () => ({ year: data.years.length - 1, variant: "medium", limits: { ...data.limits }, sizes: { ...data.sizes }, edits: {}, added: [] });
  let state = plain(), past = [], on = false, placing = false, chosen = null, told = "", now = null, before = null, references = {}, next = 1;
  const layer = L.layerGroup(), villageMarks = [], schoolMarks = [], addedMarks = [];

  /* ---- the state, and what follows from it ---- */
  const stateOf = (k) => {
    const edit = state.edits[k] || {}, own = data.states[state.year][k] || data.states.map((year) => year[k]).find(Boolean) || data.schools[k][6];
    const open = edit.open === undefined ? !!data.states[state.year][k] : edit.open;
    return open && own ? [edit.kind || own[0], edit.first || own[1], edit.last || own[2], edit.rooms === undefined ? own[3] : edit.rooms, edit.beds === undefined ? own[4] : edit.beds] : null;
  };
  const scenarioOf = () => ({ ...state, schools: data.schools.map((_, k) => stateOf(k)), added: state.added });
  const settingsKey = () => JSON.stringify([state.year, state.variant, state.limits, state.sizes]);
  function reckon() {
    const key = settingsKey();
    if (!references[key]) references = { [key]: whatIf.estimate(model, { ...state, schools: data.states[state.year], added: [] }) };
    before = references[key];
    now = whatIf.estimate(model, scenarioOf());
  }
  function change(edit) {
    past.push(JSON.stringify(state));
    edit();
    update();
  }
  function undo() {
    if (!past.length) return;
    state = JSON.parse(past.pop());
    update();
  }
  function update() {
    told = "";
    // what was chosen may be gone
    if (chosen && chosen[0] === "added" && !state.added[chosen[1]]) chosen = null;
    reckon();
    if (on) paint();
    renew();
  }
  const edited = (k) => state.edits[k] || (state.edits[k] = {});
  function setSchool(k, what) {
    change(() => Object.assign(edited(k), what));
  }

  /* ---- saving and loading ---- */
  function changes() {
    const closed = [], changed = [], fresh = [];
    data.schools.forEach(([id, name, , , east, north, own], k) => {
      const s = stateOf(k);
      const row = s && { school_id: id, kind: s[0], first_grade: s[1], last_grade: s[2], rooms: s[3], beds: s[4] };
      if (own && !s) closed.push(id);
      else if (own && s && own.some((value, i) => value !== s[i])) changed.push(row);
      else if (!own && s) fresh.push({ ...row, name, lon: degrees(east), lat: degrees(north) });
    });
    for (const s of state.added) fresh.push({ school_id: s.id, name: s.name, kind: s.state[0], lon: degrees(s.east), lat: degrees(s.north), first_grade: s.state[1], last_grade: s.state[2], rooms: s.state[3], beds: s.state[4] });
    const moved = (kept, values, given) => ({ ...kept, ...Object.fromEntries(Object.entries(values).filter(([key, value]) => value !== given[key])) });
    return {
      county: data.code, schools_sha256: data.schools_sha256, year: data.years[state.year], closed, changed, new: fresh,
      limits: moved(data.inherited.limits, state.limits, data.limits), class_size: moved(data.inherited.class_size, state.sizes, data.sizes),
    };
  }
  const saved = () => ({ format: data.format, name: t("what_if.file", { county: page.data.county }), ...data.scenario, variant: state.variant, school_changes: changes() });
  function save() {
    const link = h("a", { href: URL.createObjectURL(new Blob([JSON.stringify(saved(), null, 1)], { type: "application/json" })), download: fileName(t("what_if.file", { county: page.data.county })) + ".json" });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  const fileName = (name) => [...name.normalize("NFC").replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\\/:*?"<>|.]/g, "_")].slice(0, 60).join("");
  const whole = (value, least, most) => Number.isInteger(value) && value >= least && value <= most;
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const soundSchool = (s) => isObject(s) && typeof s.school_id === "string" && s.school_id && typeof s.kind === "string" && s.kind in page.data.words.zh.school_kind && s.kind !== "special" &&
    whole(s.first_grade, 1, 9) && whole(s.last_grade, s.first_grade, 9) && whole(s.rooms, 0, MOST) && whole(s.beds, 0, 100 * MOST);
  // the state that a file describes, or a sentence that says why not
  function loaded(text) {
    let file;
    try {
      file = JSON.parse(text);
    } catch (error) {
      return t("what_if.broken");
    }
    const c = isObject(file) ? file.school_changes : null;
    if (!isObject(c)) return t("what_if.broken");
    if (file.format !== data.format) return t("what_if.newer");
    if (c.county !== data.code) return t("what_if.other_county");
    if (c.schools_sha256 !== data.schools_sha256) return t("what_if.other_schools");
    const number = new Map(data.schools.map((s, k) => [s[0], k])), year = data.years.indexOf(c.year), fresh = { ...plain(), year, variant: file.variant || "medium" };
    const lists = [c.closed || [], c.changed || [], c.new || []], own = new Set(data.schools.filter((s) => s[6]).map((s) => s[0]));
    const sound = year >= 0 && data.variants.includes(fresh.variant) && lists.every(Array.isArray) && lists[0].every((id) => own.has(id)) && lists[1].every((s) => soundSchool(s) && own.has(s.school_id)) &&
      lists[2].every((s) => soundSchool(s) && !own.has(s.school_id) && typeof s.name === "string" && Number.isFinite(s.lon) && Number.isFinite(s.lat) && Math.abs(s.lon) <= 180 && Math.abs(s.lat) <= 90) &&
      [[c.limits || {}, LIMITS], [c.class_size || {}, SIZES]].every(([values, keys]) => isObject(values) && Object.entries(values).every(([key, value]) => keys.includes(key) && whole(value, 1, 1440)));
    if (!sound) return t("what_if.broken");
    Object.assign(fresh.limits, c.limits);
    Object.assign(fresh.sizes, c.class_size);
    const wanted = new Map(), closed = new Set(lists[0]), plan = data.states[year];
    data.schools.forEach((s, k) => { if (s[6] && !closed.has(s[0])) wanted.set(k, s[6]); });
    for (const s of [...lists[1], ...lists[2]]) {
      const values = [s.kind, s.first_grade, s.last_grade, s.rooms, s.beds];
      if (number.has(s.school_id)) wanted.set(number.get(s.school_id), values);
      else fresh.added.push({ id: s.school_id, name: s.name.slice(0, 200), east: Math.floor(s.lon * 1e5 + 0.5), north: Math.floor(s.lat * 1e5 + 0.5), state: values });
    }
    data.schools.forEach((_, k) => {
      const w = wanted.get(k), p = plan[k];
      if (!w && p) fresh.edits[k] = { open: false };
      else if (w && (!p || w.some((value, i) => value !== p[i]))) fresh.edits[k] = { open: true, kind: w[0], first: w[1], last: w[2], rooms: w[3], beds: w[4] };
    });
    return fresh;
  }
  function load(text) {
    const found = loaded(text);
    if (typeof found === "string") {
      told = found;
      return renew();
    }
    change(() => { state = found; });
    told = t("what_if.loaded");
    renew();
  }

  /* ---- the map ---- */
  const at = (east, north) => L.latLng(north / 1e5, east / 1e5);
  const look = (v) => {
    const { unserved, beyond, seconds, day } = now.village, mean = day[v] ? seconds[v] / day[v] / 60 : 0, most = state.limits["walk.lower"];
    if (unserved[v]) return { shape: "wedge", fillColor: colour("no_seat"), radius: 7, weight: 1.2, color: "#fff" };
    if (beyond[v]) return { shape: "diamond", fillColor: colour("beyond_limit"), radius: 6.5, weight: 1.2, color: "#fff" };
    return { shape: "circle", fillColor: colour("minutes-" + (1 + [most / 3, (2 * most) / 3].filter((b) => mean > b).length)), radius: 5, weight: 0.8, color: "#456" };
  };
  const schoolLook = (s, found, fresh) => {
    if (!s) return { shape: "cross", fillColor: "#fff", color: "#444", radius: 7, weight: 1.4 };
    const tier = !found.pupils && !found.turned_away ? "none" : found.super ? "super" : found.oversized ? "oversized" : found.above_standard ? "elevated" : "normal";
    return { shape: fresh ? "star" : "square", fillColor: colour("tier-" + tier), color: fresh ? colour("proposal-open") : "#333", radius: fresh ? 11 : 7, weight: fresh ? 2.4 : 1.4 };
  };
  const dress = (mark, options) => {
    const shape = mark.options.shape + mark.options.fillColor + mark.options.color, radius = mark.options.radius;
    if (shape === options.shape + options.fillColor + options.color && radius === options.radius) return;
    L.setOptions(mark, options);
    mark._radius = options.radius;
    mark.redraw();
  };
  function firstMarks() {
    const p = model.paths;
    for (let v = 0; v < model.places; v++) {
      villageMarks.push(new Mark(at(p.settlement_lon[v], p.settlement_lat[v]), { renderer: canvas, fillOpacity: 1, ...look(v) }).bindTooltip(() => villageTip(v), { direction: "top" }));
      layer.addLayer(villageMarks[v]);
    }
    data.schools.forEach(([, , , , east, north], k) => {
      const mark = new Mark(at(east, north), { renderer: canvas, fillOpacity: 1, ...schoolLook(stateOf(k), now.schools[k]) }).bindTooltip(() => schoolTip("school", k), { direction: "top" });
      mark.on("click", (event) => { if (!placing) { L.DomEvent.stop(event); choose("school", k); } });
      schoolMarks.push(mark);
      layer.addLayer(mark);
    });
  }
  function paint() {
    if (!villageMarks.length) firstMarks();
    villageMarks.forEach((mark, v) => dress(mark, look(v)));
    schoolMarks.forEach((mark, k) => dress(mark, schoolLook(stateOf(k), now.schools[k])));
    for (const mark of addedMarks.splice(0)) layer.removeLayer(mark);
    state.added.forEach((s, i) => {
      const mark = new Mark(at(s.east, s.north), { renderer: canvas, fillOpacity: 1, ...schoolLook(s.state, now.schools[data.schools.length + i], true) }).bindTooltip(() => schoolTip("added", i), { direction: "top" });
      mark.on("click", (event) => { L.DomEvent.stop(event); choose("added", i); });
      addedMarks.push(mark);
      layer.addLayer(mark);
    });
  }
  const minutes = (sec) => (sec / 60).toFixed(1);
  const nameOf = (what, i) => (what === "school" ? data.schools[i][1] : state.added[i].name);
  const placed = (what, i) => now.schools[what === "school" ? i : data.schools.length + i];
  function villageTip(v) {
    const { unserved, beyond, seconds, day } = now.village;
    return h("div", {}, h("b", {}, page.villages[v].name), h("div", {}, t("what_if.village", { unserved: unserved[v], beyond: beyond[v], minutes: day[v] ? minutes(seconds[v] / day[v]) : "—" })));
  }
  function schoolTip(what, i) {
    const s = what === "school" ? stateOf(i) : state.added[i].state, found = placed(what, i);
    return h("div", {}, h("b", {}, nameOf(what, i)), h("div", {}, s ? t("what_if.school", found) : t("what_if.closed")));
  }
  function toggle(wanted) {
    on = wanted;
    placing = false;
    page.quiet(on);
    if (on) {
      paint();
      map.addLayer(layer);
    } else map.removeLayer(layer);
    show();
  }
  function choose(what, i) {
    chosen = [what, i];
    renew();
    const first = document.querySelector("#what-if-chosen button, #what-if-chosen input");
    if (first) first.focus();
  }
  function place(where) {
    placing = false;
    map.getContainer().classList.remove("placing");
    const used = new Set([...data.schools.map((s) => s[0]), ...state.added.map((s) => s.id)]);
    while (used.has("new-" + next)) next++;
    const [first, last, rooms] = KINDS.small_primary;
    change(() => state.added.push({ id: "new-" + next, name: t("what_if.new_name", { n: next }), east: Math.floor(where.lng * 1e5 + 0.5), north: Math.floor(where.lat * 1e5 + 0.5), state: ["small_primary", first, last, rooms, 0] }));
    choose("added", state.added.length - 1);
  }
  map.on("click", (event) => { if (placing) place(event.latlng); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && placing) start(false);
    if (event.key === "z" && (event.ctrlKey || event.metaKey) && on && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) { event.preventDefault(); undo(); }
  });
  function start(wanted) {
    if (wanted && !on) toggle(true);
    placing = wanted;
    map.getContainer().classList.toggle("placing", wanted);
    renew();
  }

  /* ---- the panel ---- */
  const button = (id, text, run, more) => h("button", { type: "button", id: "what-if-" + id, on: { click: run }, ...more }, text);
  const numberBox = (id, label, value, least, most, run) => h("label", { class: "number" }, h("span", {}, label), h("input", { type: "number", id: "what-if-" + id, value: String(value()), min: String(least), max: String(most), step: "1",
    on: { change: (event) => { const n = Number(event.target.value); if (whole(n, least, most) && event.target.value !== "") run(n); else event.target.value = String(value()); } } }));
  const choice = (id, options, value, run) => h("div", { class: "choices", role: "radiogroup", "aria-label": t("what_if." + id) }, options.map(([code, text]) =>
    h("label", {}, h("input", { type: "radio", name: "what-if-" + id, id: "what-if-" + id + "-" + code, checked: code === value, on: { change: () => run(code) } }), h("span", {}, text))));
  // names to choose from; of equal ones the id says which
  const targets = new Map();
  function names() {
    targets.clear();
    const offer = (what, i, name, id) => targets.set(targets.has(name) ? name + " " + id : name, [what, i]);
    data.schools.forEach((s, k) => offer("school", k, s[1], s[0]));
    state.added.forEach((s, i) => offer("added", i, s.name, s.id));
    return [...targets.keys()].map((label) => h("option", { value: label }));
  }
  const chooser = () => [h("label", {}, h("span", {}, t("what_if.choose")), h("input", { type: "search", id: "what-if-search", list: "what-if-names", autocomplete: "off",
    on: { change: (event) => { const found = targets.get(event.target.value); if (found) choose(...found); } } })), h("datalist", { id: "what-if-names" })];
  function editor() {
    if (!chosen) return [h("p", { class: "note" }, t("what_if.choose_note"))];
    const [what, i] = chosen, fresh = what === "added", s = fresh ? state.added[i].state : stateOf(i), parts = [h("h3", {}, nameOf(what, i))];
    if (fresh) parts.push(h("label", {}, h("span", {}, t("what_if.name")), h("input", { id: "what-if-name", maxlength: "200", value: state.added[i].name, on: { change: (event) => change(() => { state.added[i].name = event.target.value || state.added[i].name; }) } })),
      h("label", {}, h("span", {}, t("what_if.kind")), h("select", { id: "what-if-kind", on: { change: (event) => change(() => { const [first, last, rooms] = KINDS[event.target.value]; state.added[i].state = [event.target.value, first, last, rooms, 0]; }) } },
        Object.keys(KINDS).map((kind) => h("option", { value: kind, selected: kind === s[0] }, page.word("school_kind", kind) + " " + t("what_if.grades", { first: KINDS[kind][0], last: KINDS[kind][1] }))))));
    else parts.push(button("open", t(s ? "what_if.close_it" : "what_if.open_it"), () => setSchool(i, { open: !s }), { "aria-pressed": String(!s) }));
    if (s) {
      const set = (place, name) => (n) => (fresh ? change(() => { state.added[i].state[place] = n; }) : setSchool(i, { [name]: n }));
      parts.push(h("p", { class: "note" }, page.word("school_kind", s[0]) + " · " + t("what_if.grades", { first: s[1], last: s[2] })), numberBox("rooms", t("what_if.rooms"), () => s[3], 0, MOST, set(3, "rooms")));
      parts.push(fresh ? h("p", { class: "note" }, t("what_if.new_note")) : numberBox("beds", t("what_if.beds"), () => s[4], 0, 100 * MOST, set(4, "beds")));
      parts.push(h("p", {}, t("what_if.school", placed(what, i))));
    }
    if (fresh) parts.push(button("remove", t("what_if.remove"), () => { chosen = null; change(() => state.added.splice(i, 1)); }));
    return parts;
  }
  function results() {
    const unserved = (e) => whatIf.LOST.reduce((sum, name) => sum + e.totals[name], 0), mean = (e) => (e.totals.day_pupils ? e.totals.day_seconds / e.totals.day_pupils / 60 : 0);
    const signed = (n, digits) => (n > 0 ? "+" : n < 0 ? "−" : "") + Math.abs(n).toFixed(digits || 0);
    const line = (name, value, digits, cls) => h("tr", { class: cls || null }, h("th", { scope: "row" }, t("what_if.result." + name)), h("td", {}, value(before).toFixed(digits || 0)), h("td", { class: "now", id: "what-if-" + name }, value(now).toFixed(digits || 0)), h("td", {}, signed(value(now) - value(before), digits)));
    const total = (name) => (e) => e.totals[name], sub = (name) => line(name, total(name), 0, "sub");
    return h("table", { id: "what-if-results" }, h("thead", {}, h("tr", {}, ["unit", "before", "now", "change"].map((name) => h("th", { scope: "col" }, t("what_if.result." + name))))), h("tbody", {},
      line("unserved", unserved, 0, "strong"), sub("no_seat"), sub("no_bed"), sub("no_route"), line("beyond_limit", total("beyond_limit"), 0, "strong"), line("boarders", total("boarders")),
      line("minutes", mean, 1, "strong"), line("longest", (e) => e.totals.longest / 60, 0, "sub"), line("above_standard", total("above_standard")), line("oversized", total("oversized"), 0, "strong"), sub("super"),
      line("seats_left", total("seats_left")), line("beds_left", total("beds_left"))));
  }
  function losers() {
    const list = whatIf.worseOff(now, before), parts = [h("h3", {}, t("what_if.losers", { n: list.length }))];
    if (list.length) parts.push(h("ul", { class: "named", id: "what-if-losers" }, list.slice(0, LISTED).map(([v, n, far, sec]) => h("li", {}, h("button", { type: "button", on: { click: () => page.fly("village", v) } }, page.villages[v].name), " ",
      [n > 0 ? t("what_if.lost_place", { n }) : "", far > 0 ? t("what_if.lost_limit", { n: far }) : "", sec > 0 && now.village.day[v] ? t("what_if.lost_minutes", { n: (now.village.seconds[v] / now.village.day[v] / 60 - (before.village.day[v] ? before.village.seconds[v] / before.village.day[v] / 60 : 0)).toFixed(1) }) : ""].filter(Boolean).join("；")))));
    if (list.length > LISTED) parts.push(h("p", { class: "note" }, t("what_if.more", { n: list.length - LISTED })));
    return parts;
  }
  const last = whatIf.estimate(model, { ...plain(), schools: data.states[data.years.length - 1], added: [] }).totals;
  function differs() {
    return t("what_if.differs", { year: data.years[data.years.length - 1], quick: whatIf.LOST.reduce((sum, name) => sum + last[name], 0), exact: data.exact.unserved, quick_beyond: last.beyond_limit, exact_beyond: data.exact.beyond,
      quick_minutes: (last.day_pupils ? last.day_seconds / last.day_pupils / 60 : 0).toFixed(1), exact_minutes: data.exact.minutes.toFixed(1) });
  }
  let listed = "";
  const part = (id) => document.getElementById("what-if-" + id);
  // what a change changes; the rest of the panel stays as it is
  function renew() {
    if (!part("results-box")) return;
    const focus = part("chosen").contains(document.activeElement) ? document.activeElement.id : "", added = JSON.stringify(state.added.map((s) => [s.id, s.name]));
    part("results-box").replaceChildren(results(), ...losers());
    part("chosen").replaceChildren(...editor());
    part("told").textContent = told;
    part("undo").disabled = !past.length;
    part("drop").textContent = t(placing ? "what_if.placing" : "what_if.drop");
    part("drop").setAttribute("aria-pressed", String(placing));
    part("search").value = chosen ? nameOf(...chosen) : "";
    part("year-" + state.year).checked = true;
    if (part("variant-" + state.variant)) part("variant-" + state.variant).checked = true;
    for (const key of LIMITS) part("limit-" + key.replace(".", "-")).value = String(state.limits[key]);
    for (const key of SIZES) part("size-" + key).value = String(state.sizes[key]);
    if (listed !== added) part("names").replaceChildren(...names());
    listed = added;
    if (focus && document.getElementById(focus)) document.getElementById(focus).focus();
  }
  function show() {
    const home = document.getElementById("plan-what-if");
    if (!home) return;
    const focus = home.contains(document.activeElement) ? document.activeElement.id : "";
    const file = h("input", { type: "file", id: "what-if-file", accept: ".json,application/json", class: "hidden-file", on: { change: (event) => {
      const reader = new FileReader();
      reader.onload = () => load(String(reader.result));
      reader.onerror = () => { told = t("what_if.broken"); renew(); };
      if (event.target.files.length) reader.readAsText(event.target.files[0]);
      event.target.value = "";
    } } });
    home.replaceChildren(
      h("h2", {}, t("what_if.title")),
      h("label", { class: "switch" }, h("input", { type: "checkbox", id: "what-if-on", checked: on, on: { change: (event) => toggle(event.target.checked) } }), h("span", {}, t("what_if.on"))),
      ...(on ? [
        h("p", { class: "note" }, t("what_if.rule")), ...(data.week_step > 10 ? [h("p", { class: "note", id: "what-if-coarse" }, t("what_if.coarse", { minutes: data.week_step / 60 }))] : []), h("p", { class: "note", id: "what-if-differs" }, differs()),
        h("div", { class: "row" }, button("undo", t("what_if.undo"), undo), button("reset", t("what_if.reset"), () => { chosen = null; change(() => { state = plain(); }); }), button("save", t("what_if.save"), save), h("label", { class: "button", for: "what-if-file" }, t("what_if.load")), file),
        h("p", { role: "alert", id: "what-if-told" }), h("div", { id: "what-if-results-box" }),
        ...chooser(), h("div", { id: "what-if-chosen" }),
        h("div", { class: "row" }, button("drop", "", () => start(!placing)), button("drop-centre", t("what_if.drop_centre"), () => place(map.getCenter()))),
        choice("year", data.years.map((year, k) => [k, String(year)]), state.year, (k) => change(() => { state.year = k; })),
        ...(data.variants.length > 1 ? [choice("variant", data.variants.map((v) => [v, t("what_if.variants." + v)]), state.variant, (v) => change(() => { state.variant = v; }))] : []),
        h("fieldset", { class: "numbers" }, h("legend", {}, t("what_if.limits")), LIMITS.map((key) => numberBox("limit-" + key.replace(".", "-"), limitName(key), () => state.limits[key], 1, 1440, (n) => change(() => { state.limits[key] = n; })))),
        h("fieldset", { class: "numbers" }, h("legend", {}, t("what_if.sizes")), SIZES.map((key) => numberBox("size-" + key, t("what_if.size." + key), () => state.sizes[key], 1, MOST, (n) => change(() => { state.sizes[key] = n; })))),
        h("ul", { class: "key" }, page.key(look0("circle", "minutes-1"), t("what_if.legend.served")), page.key(look0("diamond", "beyond_limit"), t("what_if.legend.beyond")), page.key(look0("wedge", "no_seat"), t("what_if.legend.unserved")),
          page.key(look0("square", "tier-normal"), t("what_if.legend.open")), page.key(look0("square", "tier-oversized"), t("what_if.legend.oversized")), page.key({ shape: "cross", fillColor: "#fff", color: "#444", radius: 7 }, t("what_if.legend.closed")), page.key({ ...look0("star", "tier-none"), color: colour("proposal-open"), weight: 2 }, t("what_if.legend.added"))),
      ] : [h("p", { class: "note" }, t("what_if.off"))]),
    );
    listed = "";
    renew();
    if (focus && document.getElementById(focus)) document.getElementById(focus).focus();
  }
  const look0 = (shape, name) => ({ shape, fillColor: colour(name), color: "#333", radius: 6 });
  const limitName = (key) => (key === "week" ? t("what_if.week") : page.word("mode", key.split(".")[0]) + " " + t("band." + key.split(".")[1]));
  reckon();
  page.whatIf = {
    draw: show, model, toggle, place, choose, load, undo, save, saved,
    worse: () => whatIf.worseOff(now, before),
    set(what) { change(() => Object.assign(state, what)); },
    get state() { return state; }, get now() { return now; }, get before() { return before; }, get told() { return told; },
  };
  show();
}
