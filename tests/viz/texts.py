"""What is wrong with a figure's texts: those that are cut off, and pairs that lie on one another."""

from itertools import combinations


def clashes(fig):
    """Texts that the page cuts off, and pairs of texts that overlap; empty for a legible figure."""
    fig.draw_without_rendering()
    extents = [(text.get_text(), text.get_window_extent()) for ax in fig.axes for text in _visible(ax)]
    width, height = fig.bbox.size
    cut = [name for name, box in extents if min(box.x0, box.y0) < 0 or box.x1 > width or box.y1 > height]
    return cut + [(one[0], two[0]) for one, two in combinations(extents, 2) if one[1].overlaps(two[1])]


def _visible(ax):
    """Every text of an axes: what was written into it, its title, labels and the ticks within its limits."""
    texts = list(ax.texts)
    if ax.get_legend():
        texts += ax.get_legend().get_texts()
    if ax.axison:
        texts += [ax.xaxis.label, ax.yaxis.label, ax.title, ax._left_title]
        texts += [label for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim()))
                  for tick, label in zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
                  if low <= tick <= high]  # fmt: skip
    return [text for text in texts if text.get_text()]
