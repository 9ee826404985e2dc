"""Makes a ResNet of more layers from a trained one, for measurements of depth where no trained network of that depth is at hand.

Behind the last block of each stage stand copies of it whose residual is a part of the original's, so that the network still
does what it was trained for, nearly as well:

    python bench/resnet/deepen.py resnet32.onnx 2 resnet44.onnx
"""

import copy
import re
import sys

import numpy as np
import onnx
from onnx import numpy_helper

# Of the residual of the block that is copied.
PART = 0.05


def main(source: str, n_copies: int, target: str) -> None:
    model = onnx.load(source)
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    blocks = {}
    for node in graph.node:
        if found := re.match(r"/layer(\d)/layer\d\.(\d+)/", node.name):
            blocks.setdefault(found[1], {}).setdefault(int(found[2]), []).append(node)
    for stage, of_stage in blocks.items():
        last = max(of_stage)
        nodes = of_stage[last]
        first, end = nodes[0].input[0], nodes[-1].output[0]
        place = list(graph.node).index(nodes[-1]) + 1
        result = end
        for k in range(last + 1, last + 1 + n_copies):
            names = {first: result}
            for node in nodes:
                new = copy.deepcopy(node)
                new.name = node.name.replace(f"layer{stage}.{last}/", f"layer{stage}.{k}/")
                for i, name in enumerate(node.input):
                    new.input[i] = names.get(name, name)
                    if name in weights and "conv2" in node.name:
                        part = numpy_helper.to_array(weights[name]) * np.float32(PART)
                        new.input[i] = f"{name}.{k}"
                        graph.initializer.append(numpy_helper.from_array(part, new.input[i]))
                for i, name in enumerate(node.output):
                    new.output[i] = names[name] = f"{name}.{k}"
                graph.node.insert(place, new)
                place += 1
            result = names[end]
        for node in list(graph.node)[place:]:
            for i, name in enumerate(node.input):
                node.input[i] = result if name == end else name
    onnx.checker.check_model(model)
    onnx.save(model, target)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
