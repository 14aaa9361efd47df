"""A generation of CRLs as sealed memory: written by one process, mapped by all the others."""

from __future__ import annotations

import os
import socket

from edge.runtime.channel import Message, WorkerEnd, send
from edge.runtime.memory import fill, mapped
from edge.trust.revocation import Revocation
from edge.trust.revocation_image import pack, unpack

CRL = "crl"


def write_image(descriptor: int, revocation: Revocation) -> None:
    """Fill the memory and seal it."""
    fill(descriptor, pack(revocation))


def map_image(descriptor: int) -> Revocation:
    """Return what the memory holds, without a copy."""
    return unpack(mapped(descriptor))


def send_image(sock: socket.socket, descriptor: int) -> bool:
    """Hand the memory to a worker; tell whether it could be. A worker that is gone needs none."""
    return send(sock, Message(CRL), descriptor)


def take_image(end: WorkerEnd, descriptors: list[int]) -> Revocation | None:
    """Return the CRLs that came with a message, and close its descriptors.

    None if the system had no room for them: the parent is asked to send them once more. What is no image
    is a defect and raises ``ValueError``, after the same question.
    """
    try:
        if descriptors:
            return map_image(descriptors[0])
    except OSError:
        pass
    except ValueError:
        end.answer(Message(CRL))
        raise
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    end.answer(Message(CRL))
    return None
