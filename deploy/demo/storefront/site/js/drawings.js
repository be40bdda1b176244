// The goods, drawn: a shop of your own has photographs here.

import { svg } from "./dom.js";

const CLOTH = {
  White: "#fbfaf7", "Sky blue": "#a9c5e2", "Pale pink": "#ecd0cd", Sand: "#d6c3a1", Navy: "#26385c", Charcoal: "#45484f",
  Burgundy: "#6d2536", Oatmeal: "#d9cdb8", Forest: "#31503f", "Mid grey": "#8b8f96", Black: "#25262a", Camel: "#bd9461",
  Khaki: "#b3a077", Brown: "#6f4a2f", Ivory: "#f4eddc",
};

const SHIRT = "M72 34 50 44Q38 50 34 70L20 176 42 181 58 100V208H142V100L158 181 180 176 166 70Q162 50 150 44L128 34Q100 52 72 34Z";
const COAT = "M74 30 52 40Q38 46 34 68L22 176 44 181 57 104 52 212H148L143 104 156 181 178 176 166 68Q162 46 148 40L126 30Q100 44 74 30Z";
const LONG_COAT = "M74 24 52 34Q38 40 34 62L22 172 44 177 56 100 46 228H154L144 100 156 177 178 172 166 62Q162 40 148 34L126 24Q100 38 74 24Z";
const LEGS = "M64 26H136L150 222H112L100 92 88 222H50Z";

const body = (d) => svg("path", { d, class: "cloth" });
const line = (d) => svg("path", { d, class: "seam" });
const light = (d) => svg("path", { d, class: "light" });
const dark = (d) => svg("path", { d, class: "dark" });
const buttons = (x, ...ys) => ys.map((y) => svg("circle", { cx: x, cy: y, r: 2.2, class: "button" }));

const shirt = (collar) => () => [
  body(SHIRT), line("M100 56V208M58 100 56 76M142 100 144 76M22 164 44 169M178 164 156 169"), ...buttons(104, 84, 112, 140, 168, 194),
  body(collar), line("M116 88H132V104Q124 109 116 104Z"),
];
const lapels = (edge, bottom) => [
  light(`M84 34 100 ${bottom} 116 34Q100 44 84 34Z`), line(`M100 46V${bottom - 8}`),
  body(`M84 32 66 46 ${edge} 100 ${bottom} 88 58Z`), body(`M116 32 134 46 ${200 - edge.split(" ")[0]} ${edge.split(" ")[1]} 100 ${bottom} 112 58Z`),
];

const DRAWN = {
  "oxford-shirt": shirt("M74 33 88 26 100 50 112 26 126 33 118 66 100 52 82 66Z"),
  "poplin-shirt": shirt("M74 33 90 27 100 48 110 27 126 33 128 58 100 50 72 58Z"),
  "linen-shirt": shirt("M76 33 90 28 100 50 110 28 124 33 116 60 100 52 84 60Z"),
  "merino-polo": () => [
    body("M72 34 50 44Q36 52 26 96L52 106 58 92V206H142V92L148 106 174 96Q164 52 150 44L128 34Q100 52 72 34Z"),
    line("M100 56V104M92 60V104H108V60M58 196H142M29 88 54 98M171 88 146 98"), ...buttons(100, 74, 90), body("M76 33 88 27 100 46 112 27 124 33 116 58 100 50 84 58Z"),
  ],
  "lambswool-crew": () => [body(SHIRT), line("M80 34Q100 58 120 34M72 36Q100 70 128 36M58 196H142M22 164 44 169M178 164 156 169M58 100 56 76M142 100 144 76")],
  "wool-suit-jacket": () => [body(COAT), line("M100 128Q98 180 84 212M57 104 55 80M143 104 145 80M66 168H86M114 168H134M124 98 136 95"), ...lapels("74 72", 128), ...buttons(104, 138, 160)],
  "dinner-jacket": () => [
    body(COAT), line("M100 138Q98 184 84 212M57 104 55 80M143 104 145 80M66 170H86M114 170H134"), light("M84 34 100 138 116 34Q100 44 84 34Z"), line("M100 52V126"),
    dark("M84 32Q62 76 100 138 84 84 88 58Z"), dark("M116 32Q138 76 100 138 116 84 112 58Z"), dark("M88 42 100 48 112 42V56L100 50 88 56Z"), ...buttons(104, 150),
  ],
  "flannel-overcoat": () => [
    body(LONG_COAT), line("M104 120V228M56 100 54 76M144 100 146 76M60 160H82M118 160H140"), ...lapels("62 74", 120), ...buttons(92, 134, 160), ...buttons(116, 134, 160),
  ],
  "wool-suit-trousers": () => [body(LEGS), line("M62 40H138M84 48 70 222M116 48 130 222M100 40V92"), ...buttons(100, 33)],
  chino: () => [body(LEGS), line("M62 42H138M100 42V92M64 46Q80 62 74 76M136 46Q120 62 126 76M76 26V42M124 26V42"), ...buttons(100, 34)],
  "silk-tie": () => [body("M86 20H114L108 46 124 184 100 222 76 184 92 46Z"), line("M92 46H108M90 74 108 94M87 102 112 130M84 134 117 170M80 166 112 202")],
  "leather-belt": () => [
    svg("ellipse", { cx: 100, cy: 126, rx: 68, ry: 56, class: "strap" }), svg("ellipse", { cx: 100, cy: 126, rx: 68, ry: 56, class: "stitch" }),
    svg("rect", { x: 82, y: 168, width: 36, height: 28, rx: 4, class: "buckle" }), svg("path", { d: "M100 182H120", class: "buckle" }),
  ],
  "pocket-square": () => [body("M52 118 78 66 98 112 112 52 128 108 150 80 148 196H52Z"), line("M78 66 84 132M112 52 104 132M150 80 124 134M52 132H149")],
};

export function drawing(productId, colour) {
  const paint = DRAWN[productId] ?? DRAWN["pocket-square"];
  const drawn = svg("svg", { viewBox: "0 0 200 244", class: "drawing", "aria-hidden": "true", focusable: "false" }, paint());
  drawn.style.setProperty("--cloth", CLOTH[colour] ?? "#9a8f80");
  return drawn;
}

export function swatch(colour) {
  return CLOTH[colour] ?? "#9a8f80";
}
