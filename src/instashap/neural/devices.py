"""Choice of the device on which nets are trained and applied."""

import torch


def choose_device(device: str = "auto") -> torch.device:
    """The device of a name; "auto" takes CUDA, else Apple's MPS, else the CPU.

    Raises
    ------
    ValueError
        If torch does not know the name, or the device is not available.

    Examples
    --------
    >>> choose_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"torch does not know device={device!r}; use 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'") from error
    is_missing = {"cuda": not torch.cuda.is_available(), "mps": not torch.backends.mps.is_available()}
    if is_missing.get(chosen.type, False):
        raise ValueError(f"device={device!r} is not available to torch on this machine; use 'auto' or 'cpu'")
    return chosen
