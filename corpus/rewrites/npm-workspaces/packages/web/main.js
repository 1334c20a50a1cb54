console.log(require('lib')(require('ms')('2 days')));
