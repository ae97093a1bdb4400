// Which channel carries commands: `drive` while the car hears what is said there, else `stream`.
//
// A relay may open any channel that a page asks for and carry only those it knows. Nothing closes then and nothing fails: the
// car simply hears nobody. So pings go where the commands go. If several on `drive` stay unanswered while a later one on
// `stream` is answered, the car is there and `drive` is not. It is tried on, and trusted again with its first answer.
//
//   drive   ●  ●  ●  ●          four sent, none answered …
//   stream           ○──✓       … and this later one was: commands take `stream`
//
// Promises: pure; loss alone does not change the channel unless it takes four pings in a row; answers come on one ordered
// channel, so a slow way back changes nothing.

/** Pings lost in a row that condemn the channel. choice: at 20 % loss that is one in 600. */
const LOST = 4;
/** Unanswered pings after which `stream` is asked as well. choice: the first five pings go out within half a second. */
const DOUBT = 3;
const KEEP = 64;

export function createRoute() {
  let sent = []; // {id, label}, oldest first
  let trusted = true;

  const unanswered = (before = Infinity) => {
    let count = 0;
    for (const [place, { label, answered }] of sent.entries()) {
      if (place >= before) break;
      if (label === 'drive') count = answered ? 0 : count + 1;
    }
    return count;
  };

  return {
    /** The channels that the next ping takes, given whether `drive` is open. */
    labels(driveIsOpen) {
      if (!driveIsOpen) return ['stream'];
      return !trusted || unanswered() >= DOUBT ? ['drive', 'stream'] : ['drive'];
    },

    sent(id, label) { sent = [...sent, { id, label, answered: false }].slice(-KEEP); },

    answered(id) {
      const place = sent.findIndex((ping) => ping.id === id);
      if (place < 0) return;
      sent[place].answered = true;
      if (sent[place].label === 'drive') trusted = true;
      else if (unanswered(place) >= LOST) trusted = false;
    },

    /** Whether commands may take `drive`. */
    trusts: () => trusted,

    /** Another link. */
    reset() { [sent, trusted] = [[], true]; },
  };
}
