"""Flame graphs: stacks as boxes upon one another, as wide as the time spent in them.

The idea is Brendan Gregg's ("The Flame Graph", CACM 59, 6). The picture needs nothing else: a click on a box makes it as
wide as the picture, one on the lowest box takes that back; "search" colours the boxes whose name matches and tells their
share.
"""

import zlib
from xml.sax.saxutils import escape, quoteattr

WIDTH, ROW, MARGIN, HEAD, LETTER = 1200, 17, 10, 44, 6.6
SHARE_MIN = 0.0002  # narrower ones are left out

# Red to yellow for the server, blue for the kernel, green for libraries.
HUES = {"server": (0, 50), "kernel": (200, 40), "library": (90, 40)}

STYLE = """
text { font: 11px monospace; pointer-events: none; }
text.button { pointer-events: auto; cursor: pointer; text-decoration: underline; }
.title { font-size: 15px; }
g.box { cursor: pointer; }
g.below rect { opacity: 0.5; }
g.found rect { fill: magenta; }
"""

SCRIPT = """
const WIDTH = %(width)d, MARGIN = %(margin)d, LETTER = %(letter)g;
const boxes = [...document.querySelectorAll("g.box")].map(g => ({ g, rect: g.querySelector("rect"),
	label: g.querySelector("text"), title: g.querySelector("title").textContent, name: g.dataset.name,
	x: +g.dataset.x, w: +g.dataset.w, depth: +g.dataset.depth }));

function zoom(to) {
	for (const b of boxes) {
		const below = b.depth < to.depth && b.x <= to.x && b.x + b.w >= to.x + to.w - 1e-9;
		const inside = b.depth >= to.depth && b.x >= to.x - 1e-9 && b.x + b.w <= to.x + to.w + 1e-9;
		const x = below ? 0 : (b.x - to.x) / to.w, w = below ? 1 : b.w / to.w;
		b.g.style.display = below || inside ? "" : "none";
		b.g.classList.toggle("below", below);
		b.rect.setAttribute("x", MARGIN + x * WIDTH);
		b.rect.setAttribute("width", w * WIDTH);
		b.label.setAttribute("x", MARGIN + x * WIDTH + 3);
		b.label.textContent = cut(b.name, w * WIDTH);
	}
}

function cut(name, width) {
	const n = Math.floor((width - 6) / LETTER);
	return n < 3 ? "" : n < name.length ? name.slice(0, n - 1) + "…" : name;
}

function search() {
	const text = prompt("functions that match (a regular expression):", "");
	const pattern = text ? new RegExp(text) : null;
	let share = 0, end = -1;
	/* In the order of x, then depth: a box above one that was found adds nothing. */
	for (const b of [...boxes].sort((a, c) => a.x - c.x || a.depth - c.depth)) {
		const found = pattern !== null && pattern.test(b.name);
		b.g.classList.toggle("found", found);
		if (found && b.x >= end - 1e-9) {
			share += b.w;
			end = b.x + b.w;
		}
	}
	document.getElementById("said").textContent = pattern ? text + ": " + (100 * share).toFixed(1) + "%%" : "";
}

for (const b of boxes) {
	b.g.addEventListener("click", () => zoom(b));
	b.g.addEventListener("mouseover", () => { document.getElementById("said").textContent = b.title; });
}
document.getElementById("search").addEventListener("click", search);
"""


class Node:
    def __init__(self, kind):
        self.kind = kind
        self.value = 0
        self.children = {}


def tree(stacks):
    """stacks: {((name, kind), …): value}, the beginning first; kind: one of HUES."""
    root = Node("server")
    for stack, value in stacks.items():
        node = root
        node.value += value
        for name, kind in stack:
            node = node.children.setdefault((name, kind), Node(kind))
            node.value += value
    return root


def depth(node, least):
    return 1 + max((depth(c, least) for c in node.children.values() if c.value >= least), default=0)


def colour(name, kind):
    hue, spread = HUES[kind]
    mixed = zlib.crc32(name.encode())
    return "hsl(%d, %d%%, %d%%)" % (hue + mixed % spread, 70 + mixed // 64 % 25, 60 + mixed // 4096 % 12)


def cut(name, width):
    n = int((width - 6) / LETTER)
    return "" if n < 3 else name if n >= len(name) else name[:n - 1] + "…"


class Drawing:
    """Boxes of a tree; say(value) is what a box's title tells of it."""

    def __init__(self, root, say):
        self.total = max(root.value, 1)
        self.say = say
        self.least = SHARE_MIN * self.total
        self.height = HEAD + ROW * depth(root, self.least) + MARGIN
        self.boxes = []
        self.draw("all", root, 0, 0)

    def draw(self, name, node, x, level):
        share = node.value / self.total
        self.boxes.append(self.box(name, node, x, share, level))
        for (child, _), below in sorted(node.children.items()):
            if below.value >= self.least:
                self.draw(child, below, x, level + 1)
            x += below.value / self.total

    def box(self, name, node, x, share, level):
        left, top = MARGIN + x * WIDTH, self.height - MARGIN - (level + 1) * ROW
        return ('<g class="box" data-name=%s data-x="%.9f" data-w="%.9f" data-depth="%d"><title>%s</title>'
                '<rect x="%.2f" y="%d" width="%.2f" height="%d" rx="2" fill="%s"/><text x="%.2f" y="%d">%s</text></g>' % (
                    quoteattr(name), x, share, level, escape("%s: %.2f%%, %s" % (name, 100 * share, self.say(node.value))),
                    left, top, share * WIDTH, ROW - 1, colour(name, node.kind), left + 3, top + 12,
                    escape(cut(name, share * WIDTH))))


def svg(stacks, title, say):
    """The picture's text."""
    drawing = Drawing(tree(stacks), say)
    width = WIDTH + 2 * MARGIN
    script = SCRIPT % {"width": WIDTH, "margin": MARGIN, "letter": LETTER}
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' % (
            width, drawing.height, width, drawing.height),
        "<style>%s</style>" % STYLE,
        '<rect width="100%" height="100%" fill="white"/>',
        '<text class="title" x="%d" y="18">%s</text>' % (MARGIN, escape(title)),
        '<text id="search" class="button" x="%d" y="18">search</text>' % (width - 60),
        '<text id="said" x="%d" y="36"></text>' % MARGIN,
        *drawing.boxes,
        "<script><![CDATA[%s]]></script>" % script,
        "</svg>", ""])
