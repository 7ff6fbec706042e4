function attack() { while (true); }
