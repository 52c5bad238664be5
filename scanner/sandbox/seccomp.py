"""No network and no system administration: a filter of system calls (seccomp, a small BPF program).

https://docs.kernel.org/userspace-api/seccomp_filter.html. A refused call fails with "not permitted"; nothing is killed,
so that a library that asks whether it may do something goes on without.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys

__all__ = ["restrict_calls"]

# Refused system calls: their numbers on x86_64 and on aarch64 (0 where there is none of that name).
_REFUSED = {
    # network; pairs of sockets stay, which lead nowhere
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438), "setns": (308, 268), "unshare": (272, 97), "setrlimit": (160, 164),
    # files: what Landlock does not watch
    "chmod": (90, 0), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, 0),
    "fchown": (93, 55), "lchown": (94, 0), "fchownat": (260, 54), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "setxattrat": (463, 463), "removexattrat": (466, 466), "utime": (132, 0), "utimes": (235, 0),
    "futimesat": (261, 0), "utimensat": (280, 88), "truncate": (76, 45), "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    # the machine
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432), "mount_setattr": (442, 442),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "sethostname": (170, 161),
    "setdomainname": (171, 162),
}  # fmt: skip
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32 = 0x40000000  # bit of the calls of another way to run on x86_64

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in the kernel's description of a call
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_SECCOMP, _FILTER, _NO_NEW_PRIVS = 22, 2, 38


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def restrict_calls() -> str:
    """Refuse this thread, and all that it starts, the network and the calls above.

    Returns:
        What holds now, in words; "" on another system or architecture, or where the kernel does not take the filter.
    """
    if not sys.platform.startswith("linux") or platform.machine() not in _ARCHITECTURES:
        return ""
    code = _filter(*_ARCHITECTURES[platform.machine()])
    held = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(held, ctypes.c_void_p))
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    return "seccomp" if library.prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0 else ""


def _filter(column: int, architecture: int) -> bytes:
    """The filter: kill what comes from another architecture, refuse what is listed, allow the rest."""
    numbers = [row[column] for row in _REFUSED.values() if row[column]]
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_AT_LEAST, len(numbers) + 1, 0, _X32),
        *((_IF_EQUAL, len(numbers) - i, 0, number) for i, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
