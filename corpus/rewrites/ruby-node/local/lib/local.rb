module Local
  NAME = 'local'
end
