"""The plots of bench/run and bench/peers/run: SVG by gnuplot. Without gnuplot there are none, and what is drawn into is not
touched. An OSError or SubprocessError when gnuplot fails."""

import shutil
import subprocess

BLUE, GREY, GREEN, ORANGE = "#3366aa", "#999999", "#33886a", "#cc7722"
COLOURS = [BLUE, ORANGE, GREEN, "#aa3355", "#7755aa", "#555555"]
# What is reached is drawn up to so many times what was asked, and as little.
RATIO_MOST, RATIO_LEAST = 4, 0.1


def available():
    return shutil.which("gnuplot") is not None


def _draw(path, width, height, script):
    head = """set terminal svg noenhanced size %d,%d font "sans-serif,12" background rgb "white"
set output "%s"
set border 3
set tics nomirror
set grid x
""" % (width, height, path)
    subprocess.run(["gnuplot", "-"], input=head + script, text=True, timeout=60, check=True)


def _data(lines):
    return "$d << E\n%s\nE\n" % "\n".join(lines)


def _rows(names):
    """Of horizontal bars, the first on top."""
    return """set lmargin %d
set yrange [0.4:%d.6]
set ytics scale 0
unset key
set style fill solid 0.8 noborder
""" % (0.95 * max(len(name) for name in names) + 2, len(names))


def bars(path, rows, label, line=None):
    """rows: (name, value), drawn with the value behind; line: a value that all are to be compared with."""
    script = _rows([row[0] for row in rows]) + """set xrange [0:%f]
set xlabel "%s"
""" % (1.12 * max(value for _, value in rows), label)
    if line is not None:
        script += 'set arrow from %f, graph 0 to %f, graph 1 nohead dt 2 lc rgb "%s"\n' % (line, line, GREY)
    script += _data('%d "%s" %f' % (len(rows) - i, name, value) for i, (name, value) in enumerate(rows))
    script += """plot $d using ($3/2):1:($3/2):(0.35):ytic(2) with boxxyerror lc rgb "%s", \\
     $d using 3:1:(sprintf(" %%.0f", $3)) with labels left
""" % BLUE
    _draw(path, 860, 60 + 34 * len(rows), script)


def ratios(path, rows):
    """rows: (name, what was reached of what was asked: 1 and more is well); logarithmic."""
    lines = []
    for i, (name, ratio) in enumerate(rows):
        shown = min(max(ratio, RATIO_LEAST), RATIO_MOST)
        lines.append('%d "%s" %f %f %f %d "%.0f%%"' % (len(rows) - i, name, shown, min(shown, 1), max(shown, 1),
                                                       int((GREEN if ratio >= 1 else ORANGE)[1:], 16), 100 * ratio))
    script = _rows([row[0] for row in rows]) + """set logscale x
set xrange [%g:%g]
set xtics ("10%%%%" 0.1, "20%%%%" 0.2, "50%%%%" 0.5, "100%%%%" 1, "200%%%%" 2, "400%%%%" 4)
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb "black"
""" % (RATIO_LEAST, RATIO_MOST * 1.6) + _data(lines)
    script += """plot $d using 3:1:4:5:($1-0.35):($1+0.35):6:ytic(2) with boxxyerror lc rgb variable, \\
     $d using ($3 > 1 ? $3 : 1):1:(" " . strcol(7)) with labels left
"""
    _draw(path, 940, 60 + 20 * len(rows), script)


def percentiles(path, curves):
    """curves: {name: [(share of all, ms), ...]}, as HdrHistogram's plotter has them."""
    script = """set logscale xy
set grid x y
set key below
set xlabel "percentile"
set ylabel "ms"
set xtics ("0" 1, "90" 10, "99" 100, "99.9" 1000, "99.99" 10000)
set xrange [1:20000]
"""
    for i, points in enumerate(curves.values()):
        script += "$d%d << E\n%s\nE\n" % (i, "\n".join("%f %f" % (1 / (1 - p), ms) for p, ms in points if p < 1 and ms > 0))
    lines = ['$d%d using 1:2 with lines lw 2 lc rgb "%s" title "%s"' % (i, COLOURS[i % len(COLOURS)], name)
             for i, name in enumerate(curves)]
    script += "plot " + ", \\\n     ".join(lines) + "\n"
    _draw(path, 860, 480, script)
