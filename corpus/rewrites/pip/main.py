import idna, six
print(idna.encode("ö.example"), six.PY3)
