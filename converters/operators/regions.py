"""Operators on regions of interest: their features, and which of them to keep."""

from __future__ import annotations

from math import copysign

import torch
from torch import Tensor

from . import Gradient, Number, number, operator


@operator("RoiAlign", since=10)
def roi_align_unshifted(
    x: Tensor,
    rois: Tensor,
    batch_indices: Tensor,
    *,
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Tensor:
    """RoiAlign without the shift by half a pixel, as up to opset 15."""
    return roi_align(
        x, rois, batch_indices, mode=mode, output_height=output_height, output_width=output_width,
        sampling_ratio=sampling_ratio, spatial_scale=spatial_scale, coordinate_transformation_mode="output_half_pixel",
    )  # fmt: skip


@operator("RoiAlign", since=16)
def roi_align(
    x: Tensor,
    rois: Tensor,
    batch_indices: Tensor,
    *,
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
    coordinate_transformation_mode: str = "half_pixel",
) -> Tensor:
    """Mean or maximum of bilinear samples in each cell of each region (Mask R-CNN, arXiv:1703.06870)."""
    shift = 0.5 if coordinate_transformation_mode == "half_pixel" else 0.0
    least = None if shift else 1.0
    corners = (rois * spatial_scale - shift).reshape(-1, 2, 2)  # (R, start and end, x and y)
    start, extent = corners[:, 0], (corners[:, 1] - corners[:, 0]).clamp(min=least or -torch.inf)
    cells = extent / extent.new_tensor([output_width, output_height])
    pooled = []
    for region, image in enumerate(batch_indices.long().tolist()):
        taps = []
        for along, count in ((1, output_height), (0, output_width)):
            samples = sampling_ratio or max(int(cells[region, along].detach().ceil()), 0)
            taps.append(_taps(start[region, along], cells[region, along], count, samples, x.shape[3 - along]))
        pooled.append(_pooled(x[image], mode, *taps))
    return torch.stack(pooled) if pooled else x.new_zeros(0, x.shape[1], output_height, output_width)


def _taps(start: Tensor, cell: Tensor, cells: int, samples: int, size: int) -> tuple[Tensor, Tensor]:
    """(cells, samples, 2) indices and weights of the two neighbours of each sample along an axis; 0 far outside."""
    steps = (torch.arange(cells * samples, device=start.device) + 0.5) / samples
    at = start + steps.to(start.dtype).reshape(cells, samples) * cell
    inside = (at >= -1) & (at <= size)
    at = at.clamp(0, size - 1)
    low = at.detach().long()
    high = (low + 1).clamp(max=size - 1)
    weights = torch.stack([1 - (at - low), at - low], -1)
    return torch.stack([low, high], -1), weights * inside.unsqueeze(-1)


def _pooled(image: Tensor, mode: str, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor]) -> Tensor:
    """(C, rows, columns) from an image (C, H, W)."""
    if not (rows[0].numel() and columns[0].numel()):  # a region turned inside out, and samples by its extent
        return image.new_zeros(image.shape[0], len(rows[0]), len(columns[0]))
    values = image[:, rows[0][:, :, :, None, None, None], columns[0]]  # (C, cells, samples, 2, cells, samples, 2)
    values = values * rows[1][:, :, :, None, None, None] * columns[1]
    if mode == "max":  # of the four weighted neighbours, not of their sum: so defined by onnxruntime and the tests
        return values.amax((2, 3, 5, 6))
    return values.sum((3, 6)).mean((2, 4))


@operator("MaxRoiPool", since=1)
def max_roi_pool(x: Tensor, rois: Tensor, *, pooled_shape: tuple[int, int], spatial_scale: float = 1.0) -> Tensor:
    """Maximum of each cell of each region (image, x1, y1, x2, y2), whose corners are rounded to whole pixels."""
    pooled = []
    for image, *corners in rois.detach().tolist():
        x1, y1, x2, y2 = (_rounded(corner * spatial_scale) for corner in corners)
        rows = _cells(y1, y2, pooled_shape[0], x.shape[2])
        columns = _cells(x1, x2, pooled_shape[1], x.shape[3])
        cells = [_largest(x[int(image), :, row, column]) for row in rows for column in columns]
        pooled.append(torch.stack(cells, -1).reshape(x.shape[1], *pooled_shape))
    return torch.stack(pooled) if pooled else x.new_zeros(0, x.shape[1], *pooled_shape)


def _rounded(value: float) -> int:
    """The nearest whole number, halves away from zero."""
    return int(value + copysign(0.5, value))


def _cells(first: int, last: int, count: int, size: int) -> list[slice]:
    """The pixels of each cell along an axis; neighbouring cells may share one."""
    extent = max(last - first + 1, 1)
    bounds = ((i * extent // count + first, -(-(i + 1) * extent // count) + first) for i in range(count))
    return [slice(min(max(low, 0), size), min(max(high, 0), size)) for low, high in bounds]


def _largest(cell: Tensor) -> Tensor:
    return cell.amax((-2, -1)) if cell.numel() else cell.new_zeros(cell.shape[0])


@operator("NonMaxSuppression", since=10, gradient=Gradient.NONE)
def non_max_suppression(
    boxes: Tensor,
    scores: Tensor,
    max_output_boxes_per_class: Number | None = None,
    iou_threshold: Number | None = None,
    score_threshold: Number | None = None,
    *,
    center_point_box: int = 0,
) -> Tensor:
    """(image, class, box) of the best boxes, each of which overlaps no better one of its class by more than a limit."""
    limit = int(number(max_output_boxes_per_class)) if max_output_boxes_per_class is not None else 0
    overlap = number(iou_threshold) if iou_threshold is not None else 0.0
    kept: list[tuple[int, int, int]] = []
    for image in range(boxes.shape[0]):
        clash = _overlaps(_corners(boxes[image].detach().double(), center_point_box)) > overlap
        for label in range(scores.shape[1]):
            order = scores[image, label].detach().sort(descending=True, stable=True)
            chosen = order.indices
            if score_threshold is not None:
                chosen = chosen[order.values > number(score_threshold)]
            kept += [(image, label, box) for box in _greedy(chosen.tolist(), clash.cpu(), limit)]
    return torch.tensor(kept, dtype=torch.int64, device=boxes.device).reshape(-1, 3)


def _greedy(order: list[int], clash: Tensor, limit: int) -> list[int]:
    """Indices in order, without those that clash with one before; at most `limit`."""
    free = torch.ones(len(clash), dtype=torch.bool)
    kept: list[int] = []
    for box in order:
        if len(kept) >= limit:
            break
        if free[box]:
            kept.append(box)
            free &= ~clash[box]
    return kept


def _corners(boxes: Tensor, centred: int) -> Tensor:
    """(N, 2, 2): the lower and the upper corner of each box."""
    first, second = boxes.reshape(-1, 2, 2).unbind(1)
    if centred:
        first, second = first - second / 2, first + second / 2
    return torch.stack([torch.minimum(first, second), torch.maximum(first, second)], 1)


def _overlaps(corners: Tensor) -> Tensor:
    """(N, N) intersection over union; 0 where there is no area."""
    low, high = corners.unbind(1)
    sides = torch.minimum(high[:, None], high) - torch.maximum(low[:, None], low)
    shared = sides.clamp(min=0).prod(-1)
    area = (high - low).prod(-1)
    return torch.where(shared > 0, shared / (area[:, None] + area - shared), 0.0)
