variable "TAG" {
  default = "1"
}
target "app" {
  tags = ["o/a:latest", "o/a:${TAG}"]
}
