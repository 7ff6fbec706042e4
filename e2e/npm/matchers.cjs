'use strict';
// The one matcher that the tests take from expect-more-jest, whose own
// dependencies cannot be installed any more.

expect.extend({
  toStartWith(received, prefix) {
    return {
      pass: typeof received === 'string' && received.startsWith(prefix),
      message: () => `expected ${this.utils.printReceived(received)} to start with ${this.utils.printExpected(prefix)}`,
    };
  },
});
