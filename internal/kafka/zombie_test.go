package kafka

const zombieEnv = "REDALERT_TEST_ZOMBIE"

func zombie() int { return 0 }
