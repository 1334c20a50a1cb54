require 'local'
puts Local::NAME
