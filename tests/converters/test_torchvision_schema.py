import subprocess
import sys

CHECK = """
import torch
from onnxray.converters.torchvision_schema import import_torchvision
import_torchvision()
import_torchvision()
import onnx2torch, torchvision.ops
try:
    print(torchvision.ops.nms(torch.tensor([[0.0, 0, 1, 1]]), torch.ones(1), 0.5).tolist())
except (NotImplementedError, RuntimeError) as error:
    print("torchvision::nms" in str(error) or "custom C++ ops" in str(error))
"""


def test_torchvision_imports_whether_or_not_its_binary_part_loads() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", CHECK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("[0]", "True")  # it works, or it says what is missing
