Gem::Specification.new do |s|
  s.name = 'local'
  s.version = '1.0.0'
  s.summary = 'a gem of the project'
  s.authors = ['nobody']
  s.files = ['lib/local.rb']
end
