import idna


def run():
    print(idna.encode("ö.example"))
