def word():
    return "bücher.example"
