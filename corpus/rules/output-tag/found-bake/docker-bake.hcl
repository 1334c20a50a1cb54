target "app" {
  context = "."
  tags    = ["o/a:latest"]
}
