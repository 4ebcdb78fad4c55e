"""Pictures side by side: every picture with its title, black at 0 and white at 1."""

import numpy as np

from gpucourse.viz import photos


def test_every_picture_has_its_title_and_a_fixed_gray_scale():
    images = {"dark": np.zeros((4, 4)), "light": np.full((4, 4), 0.9)}
    fig = photos.draw(images)
    assert [ax.get_title() for ax in fig.axes] == list(images)
    assert [ax.images[0].get_clim() for ax in fig.axes] == [(0, 1), (0, 1)]
