// Attributes that are flags of the builder.
variable "ADDRESS" { default = "10.0.0.1" }
variable "SIZE" { default = 64 }
group "default" { targets = ["child", "grid", "late", "same"] }
target "base" {
  target      = "base"
  network     = "host"
  extra-hosts = { db = ADDRESS, cache = "10.0.0.2", gone = null }
  shm-size    = "${SIZE}m"
  ulimits     = ["nofile=100", "core=1", "nofile=200:300"]
  no-cache-filter = ["a", "b"]
}
target "child" {
  inherits    = ["base"]
  target      = "child"
  network     = null
  extra-hosts = { db = "10.0.0.3,10.0.0.4", "web-${SIZE}" = ADDRESS, cache = null }
  ulimits     = ["nofile=100"]
  no-cache-filter = ["c", "a"]
}
target "grid" {
  name        = "grid-${net}"
  matrix      = { net = ["none", "default"] }
  target      = net
  network     = net
  no-cache    = net == "none"
  extra-hosts = { "${net}" = "10.0.0.1" }
}
target "late" {
  inherits = ["base"]
  target   = "late"
  network  = ""
  shm-size = SIZE
  ulimits  = []
  no-cache = true
}
target "same" {
  target       = "same"
  entitlements = ["network.host"]
  labels       = { a = "b" }
  pull         = false
}
