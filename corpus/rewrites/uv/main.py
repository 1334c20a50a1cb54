import idna
print(idna.encode("ö.example"))
