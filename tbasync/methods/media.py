"""Pictures and sounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..encode.audio import audio, check_audio
from ..encode.figure import figure as draw_figure
from ..encode.figure import take
from ..encode.image import check_image, image
from ..encode.image_boxes import check_image_with_boxes, image_with_boxes
from ..encode.video import check_video, video
from ..pipeline.frameworks import joined
from ..pipeline.freeze import freeze_array
from .base import Pushing


class MediaMethods(Pushing):
    """`add_image`, `add_images`, `add_image_with_boxes`, `add_figure`, `add_video`, `add_audio`."""

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
        *,
        copy: bool = True,
    ) -> None:
        """Logs one picture.

        Args:
            tag: the series' name.
            img_tensor: an array or tensor of the shape that `dataformats` tells, with 1 (grey), 3 (RGB) or 4
                (RGBA) channels, or, for a single picture, 2 (grey and alpha): uint8 in 0 to 255, any other
                dtype in 0 to 1. What is beyond is clipped.
            global_step: an integer of 64 bits, or None for 0.
            walltime: seconds since the epoch; None is now.
            dataformats: a letter for each dimension: H, W and perhaps C, N in any order; a batch (N) is
                drawn as a grid of up to 8 columns.
            copy: False hands `img_tensor` over: it is not copied, and must not be changed after the call.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        array = freeze_array(img_tensor, "img_tensor", copy)
        check_image(array.shape, array.dtype, dataformats)
        self._push(tag, global_step, walltime, image, (array, dataformats))

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
        *,
        copy: bool = True,
    ) -> None:
        """Logs a batch of pictures as one grid.

        Args:
            img_tensor: as for `add_image`; or a list of pictures of one shape, for which `dataformats` is
                that of one of them, such as "CHW" (tensorboardX).
            tag, global_step, walltime, dataformats, copy: as for `add_image`, and so are the errors.
        """
        if isinstance(img_tensor, (list, tuple)) and isinstance(dataformats, str) and len(dataformats) == 3:
            img_tensor, dataformats = joined(img_tensor, "img_tensor"), f"N{dataformats}"
        self.add_image(tag, img_tensor, global_step, walltime, dataformats, copy=copy)

    def add_image_with_boxes(
        self,
        tag: str,
        img_tensor: Any,
        box_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        rescale: float | str = 1,
        dataformats: str | Sequence[str | None] = "CHW",
        labels: Sequence[str | None] | str | None = None,
        *,
        copy: bool = True,
    ) -> None:
        """Logs a picture with boxes drawn on it.

        Args:
            tag, img_tensor, global_step, walltime, dataformats, copy: as for `add_image`.
            box_tensor: shape (boxes, 4): x and y of two opposite corners, in pixels of the picture.
            rescale: factor by which the picture is resized after drawing.
            labels: a text for each box, or None. In tensorboardX the arguments after `walltime` are
                `dataformats` and `labels`: a str in place of `rescale` is taken for the former.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        if isinstance(rescale, str):
            labels = dataformats if labels is None and dataformats != "CHW" else labels
            dataformats = rescale
            rescale = 1
        array = freeze_array(img_tensor, "img_tensor", copy)
        boxes = freeze_array(box_tensor, "box_tensor", copy)
        texts = check_image_with_boxes(
            array.shape, array.dtype, boxes.shape, boxes.dtype, dataformats, labels, rescale
        )
        arguments = (array, boxes, dataformats, texts, rescale)
        self._push(tag, global_step, walltime, image_with_boxes, arguments)

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: Any = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Logs a matplotlib figure, drawn by the writer thread.

        Args:
            tag: the series' name.
            figure: a `matplotlib.figure.Figure`, or a list of figures of one size to be shown as a grid.
            global_step: an integer of 64 bits, or None for 0.
            close: True hands the figure over: pyplot forgets it, and it must not be changed after the call.
                False leaves it to the caller, and so draws it at once, on the calling thread.
            walltime: seconds since the epoch; None is now.

        Raises:
            TypeError, ValueError: `figure` is not as above.
        """
        taken = take(figure, close)
        self._push(tag, global_step, walltime, draw_figure, (taken,))

    def add_video(
        self,
        tag: str,
        vid_tensor: Any,
        global_step: Any = None,
        fps: float = 4,
        walltime: float | None = None,
        dataformats: str = "NTCHW",
        *,
        copy: bool = True,
    ) -> None:
        """Logs a film as an animated GIF.

        Args:
            tag: the series' name.
            vid_tensor: a batch of films, shown as a grid, of the shape that `dataformats` tells, with 1, 3 or
                4 channels: uint8 in 0 to 255, any other dtype in 0 to 1.
            global_step: an integer of 64 bits, or None for 0.
            fps: frames a second, at most 50.
            walltime: seconds since the epoch; None is now.
            dataformats: N, T, C, H and W in any order.
            copy: False hands `vid_tensor` over: it is not copied, and must not be changed after the call.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        array = freeze_array(vid_tensor, "vid_tensor", copy)
        check_video(array.shape, array.dtype, fps, dataformats)
        self._push(tag, global_step, walltime, video, (array, fps, dataformats))

    def add_audio(
        self,
        tag: str,
        snd_tensor: Any,
        global_step: Any = None,
        sample_rate: float = 44100,
        walltime: float | None = None,
        *,
        copy: bool = True,
    ) -> None:
        """Logs a sound, as a WAV file of 16 bits a sample.

        Args:
            tag: the series' name.
            snd_tensor: samples in -1 to 1, of shape (L,), (1, L) or (L, 1), or (L, 2) for stereo; what is
                beyond is clipped, and said once.
            global_step: an integer of 64 bits, or None for 0.
            sample_rate: in Hz.
            walltime: seconds since the epoch; None is now.
            copy: False hands `snd_tensor` over: it is not copied, and must not be changed after the call.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        array = freeze_array(snd_tensor, "snd_tensor", copy)
        check_audio(array.shape, array.dtype, sample_rate)
        self._push(tag, global_step, walltime, audio, (array, sample_rate))
