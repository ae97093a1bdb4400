// A course of events that a computer must not interrupt by standing still.
//
// A car whose control thread does not run for 50 ms stops, as it must; one whose driver's page stands still stops for its
// silence or for the age of its picture. A check of something else then sees another stop than its own. If the actuator log
// tells of such a stop since the course began, it is done anew; every other failure is one.

const STOOD_STILL = ['control_late', 'control_stalled', 'silence', 'blind'];
const ATTEMPTS = 8;

/** Does this until it was not interrupted. `causes` gives the cause of each write to the outputs so far. */
export async function undisturbed(causes, course) {
  for (let attempt = 1; ; attempt += 1) {
    const before = causes().length;
    try {
      return await course();
    } catch (error) {
      const cut = causes().slice(before).find((cause) => STOOD_STILL.includes(cause));
      if (!cut || attempt === ATTEMPTS) throw error;
      console.log(`      this computer stood still, and the car stopped (${cut}; ${error.message}): once more`);
    }
  }
}
