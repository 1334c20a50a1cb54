// Forms that are legal and seldom seen.
variable "EMPTY" {}
variable "NUMBER" { default = 7 }
variable "FLAG" { default = true }
variable "DERIVED" { default = "${NUMBER}-${FLAG}" }
group "default" { targets = ["inner", "plain"] }
group "inner" { targets = ["escape", "named"] }
target "plain" {
  context    = "./app/../app"
  dockerfile = "./x.Dockerfile"
  args = {
    "quoted key" = "1"
    DERIVED      = DERIVED
    EMPTY        = EMPTY
    FLAG         = FLAG ? "on" : "off"
    HEX          = "\u00fc\t\"x\""
    LITERAL      = "$${NOT} %%{ NOT }"
    NULL         = null
    NUMBER       = NUMBER
    TERNARY      = NUMBER >= 7 && !FLAG ? "a" : "b"
  }
}
target "escape" {
  context = "ünïcode"
  args = {
    HERE = <<-EOT
      a
        b
    EOT
    FOR  = join(",", [for k, v in { x = 1, y = 2 } : "${k}${v}"])
    SPLAT = join(",", [{ n = "1" }, { n = "2" }][*].n)
  }
}
target "named" {
  inherits = ["plain"]
  contexts = {
    alpine  = "docker-image://busybase"
    sibling = "target:escape"
    local   = "app"
  }
  args      = { NUMBER = "over" }
  platforms = ["linux/arm64", "linux/amd64"]
  target    = ""
}
target "grid" {
  name     = "grid-${a}-${b}"
  matrix   = { a = ["1", "2"], b = ["x"] }
  context  = "app"
  args     = { A = a, B = upper(b) }
}
