from importlib.metadata import version

import idna

from top.deep.word import word


def run():
    print(version("top"), idna.encode(word()).decode())
